import type { Found, ListedEntry } from '../store/cache-store';
import { looksLikeMember, readIndex, type ResourceIndex } from '../model/resource-index';
import { applySoftPurge } from '../model/soft-purge';

const NO_BODY = Buffer.alloc(0);
const INDEXES_AT_ONCE = 50;

/**
 * Listed entries as a request would find them. A variant or a projection is found only through the index of its resource: one whose index
 * is gone, is of another generation or does not name it is a miss, and stays in the store until its own life ends; one whose index was
 * soft-purged is soft-purged.
 *
 * @param find reads an index, once for each resource
 */
export async function asReachable(
  find: (key: string) => Promise<Found | undefined>,
  items: readonly ListedEntry[],
  now: number,
): Promise<ListedEntry[]> {
  const resources = [...new Set(items.flatMap(({ key }) => memberNames(key)?.resource ?? []))];
  const indexes = new Map<string, ResourceIndex | undefined>();
  for (let at = 0; at < resources.length; at += INDEXES_AT_ONCE)
    await Promise.all(
      resources.slice(at, at + INDEXES_AT_ONCE).map(async (resource) => {
        const found = await find(resource);
        indexes.set(resource, found && now < found.entry.freshUntil ? readIndex(found.entry) : undefined);
      }),
    );
  return items.map((item) => {
    const names = memberNames(item.key);
    return names ? withReachability(item, names, indexes.get(names.resource)) : item;
  });
}

interface MemberNames {
  readonly resource: string;
  readonly generation: string;
  readonly name: string;
}

function withReachability(
  item: ListedEntry,
  { generation, name }: MemberNames,
  index: ResourceIndex | undefined,
): ListedEntry {
  const isVariant = name === '-' || /^[\w-]{22}$/.test(name);
  if (index?.generation !== generation || !(isVariant || index.projections.includes(name)))
    return { ...item, isUnreachable: true };
  const { softPurgeMark } = applySoftPurge({ ...item, ...item.metadata, body: NO_BODY }, index.entry);
  return softPurgeMark === undefined ? item : { ...item, softPurgeMark };
}

/** The parts of a key of `memberKey`. */
function memberNames(key: string): MemberNames | undefined {
  if (!looksLikeMember(key)) return undefined;
  const nameAt = key.lastIndexOf('|');
  const generationAt = key.lastIndexOf('|', nameAt - 1);
  return {
    resource: key.slice(0, generationAt),
    generation: key.slice(generationAt + 1, nameAt),
    name: key.slice(nameAt + 1),
  };
}
