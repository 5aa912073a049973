import { createHash } from 'node:crypto';
import type { CacheEntry } from '../../src/cache/model/cache-entry';
import type { CacheStore, FillOptions, Lease } from '../../src/cache/store/cache-store';
import { markOf } from '../../src/cache/model/soft-purge';
import { PROJECTION } from './catalog';
import { FIND, FIND_OR_ACQUIRE } from '../../src/cache/store/redis/lease-scripts';
import type { Script } from '../../src/cache/store/redis/lua';

/** Bugs that the race must find, each the absence of one mending. */
export const PLANTS = ['lease', 'soft-purge', 'projection', 'bookkeeping'] as const;
export type Plant = (typeof PLANTS)[number];

/** The store with the bug in it; `bookkeeping` is planted in the scripts. */
export function withPlant(store: CacheStore, plant: Plant | undefined): CacheStore {
  if (plant === 'lease') return withoutLeases(store);
  if (plant === 'projection') return withoutMarks(store, (name) => name === PROJECTION);
  return plant === 'soft-purge' ? withoutMarks(store, () => true) : store;
}

/** A store that keeps what a load brought whether or not its lease still stands. */
function withoutLeases(store: CacheStore): CacheStore {
  const fill = async ({ key }: Lease, entry: CacheEntry, { linked }: FillOptions = {}): Promise<boolean> => {
    if (linked) await store.put(linked.key, linked.entry);
    await store.put(key, entry);
    return true;
  };
  return overriding(store, { fill });
}

/** A store that keeps variants and projections, or those named, as loaded under the mark that the index has when the load ends, not when it began. */
function withoutMarks(store: CacheStore, isHit: (name: string) => boolean): CacheStore {
  const late = async (key: string, entry: CacheEntry): Promise<CacheEntry> => {
    const [url = key, , name] = key.split('|');
    if (name === undefined || !isHit(name)) return entry;
    const indexMark = markOf((await store.find(url))?.entry);
    const { indexMark: _early, ...rest } = entry;
    return indexMark === 0 ? rest : { ...rest, indexMark };
  };
  return overriding(store, {
    fill: async (lease: Lease, entry: CacheEntry, options?: FillOptions) =>
      store.fill(lease, await late(lease.key, entry), options),
    put: async (key: string, entry: CacheEntry) => store.put(key, await late(key, entry)),
  });
}

function overriding(store: CacheStore, methods: Partial<CacheStore>): CacheStore {
  return new Proxy(store, {
    get(target, name) {
      const own: unknown = Reflect.get(methods, name);
      if (own !== undefined) return own;
      const member: unknown = Reflect.get(target, name);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
}

const CHECK = "if type(score) ~= 'string' then return false end";

/** Has entries count though their tags' indexes have lost them. Returns what mends it. */
export function withoutBookkeeping(): () => void {
  const scripts: { -readonly [field in keyof Script]: Script[field] }[] = [FIND, FIND_OR_ACQUIRE];
  const sound = scripts.map(({ source, sha }) => ({ source, sha }));
  for (const script of scripts) {
    if (!script.source.includes(CHECK)) throw new Error('the script has no check of its bookkeeping to leave out');
    script.source = script.source.replace(CHECK, '');
    script.sha = createHash('sha1').update(script.source).digest('hex');
  }
  return () => scripts.forEach((script, at) => Object.assign(script, sound[at]));
}
