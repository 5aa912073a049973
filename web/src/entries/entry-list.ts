import { reactive, ref, shallowRef } from 'vue';
import { adminRequest } from '../api/admin';
import { isAbort, toFailure, type Failure } from '../api/failure';

/** An entry as the admin API shows it. Times in seconds, sizes in bytes. */
export interface EntryView {
  readonly key: string;
  readonly kind: 'entry' | 'index' | 'variant' | 'part';
  readonly upstream: string;
  readonly status: number;
  readonly size: number;
  readonly age: number;
  readonly ttl: number;
  readonly expiresIn: number;
  readonly tags: readonly string[];
  readonly etag: string;
  readonly storedAt: string;
  /** No index leads to it any more: a request gets a miss. */
  readonly unreachable?: true;
  readonly members?: readonly string[];
  readonly partition?: string;
}

interface EntryPage {
  readonly entries: readonly EntryView[];
  readonly cursor?: string;
  readonly scanned?: number;
}

export type SortKey = 'key' | 'age' | 'ttl' | 'size' | 'status';

/** An empty filter filters nothing. */
export const filters = reactive({ match: '', tag: '', partition: '', status: '', freshness: '' });
/** As the store has them until a column is chosen; pages are sorted in themselves, for the store has no order to page by. */
export const sort = reactive<{ by: SortKey | undefined; order: 'asc' | 'desc' }>({ by: undefined, order: 'asc' });
export const entries = shallowRef<readonly EntryView[]>();
export const failure = shallowRef<Failure>();
export const waiting = shallowRef<{ readonly what: string; readonly since: number }>();
export const pageNumber = ref(1);
export const hasNext = ref(false);

const PAGE = 100;
/** A page may come back short, with a cursor, when few of the keys looked at match: the next ones are fetched until it is full. */
const MAX_ROUNDS = 50;
/** The cursors that the pages up to the present one began with. */
let cursors: (string | undefined)[] = [undefined];
let next: string | undefined;
let current: AbortController | undefined;

export function firstPage(): Promise<void> {
  cursors = [undefined];
  return load();
}

export function nextPage(): Promise<void> {
  cursors = [...cursors, next];
  return load();
}

export function previousPage(): Promise<void> {
  cursors = cursors.length > 1 ? cursors.slice(0, -1) : cursors;
  return load();
}

export function reload(): Promise<void> {
  return load();
}

export function sortBy(by: SortKey): Promise<void> {
  if (sort.by === by) sort.order = sort.order === 'asc' ? 'desc' : 'asc';
  else Object.assign(sort, { by, order: by === 'key' ? 'asc' : 'desc' });
  return firstPage();
}

export function cancel(): void {
  current?.abort();
}

async function load(): Promise<void> {
  current?.abort();
  const controller = new AbortController();
  current = controller;
  failure.value = undefined;
  waiting.value = { what: 'Listing entries…', since: Date.now() };
  try {
    const page = await fullPage(cursors.at(-1), controller.signal);
    if (page === undefined || current !== controller) return;
    entries.value = page.entries;
    next = page.cursor;
    hasNext.value = next !== undefined;
    pageNumber.value = cursors.length;
  } catch (error) {
    if (current === controller && !isAbort(error)) failure.value = toFailure(error);
  } finally {
    if (current === controller) waiting.value = undefined;
  }
}

async function fullPage(cursor: string | undefined, signal: AbortSignal): Promise<EntryPage | undefined> {
  const found: EntryView[] = [];
  let scanned = 0;
  let from = cursor;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const page = await adminRequest<EntryPage>(`/admin/cache/entries?${query(from)}`, 'Looking into the cache', {
      signal,
    });
    if (page === undefined) return undefined;
    found.push(...page.entries);
    scanned += page.scanned ?? page.entries.length;
    from = page.cursor;
    if (from === undefined || found.length >= PAGE / 2) break;
    waiting.value = { what: `Looked at ${scanned} keys, found ${found.length}…`, since: waiting.value?.since ?? 0 };
  }
  return { entries: found, scanned, ...(from === undefined ? {} : { cursor: from }) };
}

function query(cursor: string | undefined): string {
  const { match, tag, partition, status, freshness } = filters;
  const wanted = match.trim();
  const given = {
    limit: String(PAGE),
    match: wanted === '' || /[*?]/.test(wanted) ? wanted : `*${wanted}*`,
    ...{ tag: tag.trim(), partition: partition.trim(), status: status.trim(), freshness },
    ...(sort.by === undefined ? {} : { sort: sort.by, order: sort.order }),
    cursor: cursor ?? '',
  };
  return new URLSearchParams(Object.entries(given).filter(([, value]) => value !== '')).toString();
}
