import { EntriesService } from '../../src/admin/entries.service';
import { CacheInvalidator } from '../../src/cache';
import { MemoryStore } from '../../src/cache/store/memory/memory-store';
import { SystemClock } from '../../src/kernel/clock';
import { CacheReplica, VersionedOrigin } from '../support/cache-replica';

const KEY = 'github:-:/users/u';
const asking = { key: KEY, tags: ['account:u'] };
const query = { match: '*', limit: 100, sort: undefined, order: 'asc' as const, cursor: undefined, tag: undefined };

describe('the list of entries', () => {
  const open = () => {
    const clock = new SystemClock();
    const store = new MemoryStore({ maxBytes: 16_777_216, maxEntries: 1_000 }, clock);
    const replica = new CacheReplica(store, clock);
    const entries = new EntriesService(replica.entries, new CacheInvalidator(store), clock);
    const list = async (more = {}) => (await entries.list({ ...query, ...more })).entries;
    const members = async () => (await list()).filter(({ kind }) => kind === 'variant' || kind === 'part');
    return { store, replica, entries, list, members, origin: new VersionedOrigin() };
  };

  it.each([
    ['a variant', (replica: CacheReplica, origin: VersionedOrigin) => replica.throughGateway(asking, origin)],
    [
      'a part',
      (replica: CacheReplica, origin: VersionedOrigin) => replica.throughRoute({ ...asking, part: 'repos' }, origin),
    ],
  ])('shows %s as what a request would get', async (_what, get) => {
    const { store, replica, entries, list, members, origin } = open();
    await get(replica, origin);
    const [member] = await members();
    expect(member).toMatchObject({ isFresh: true });
    expect(member).not.toHaveProperty('unreachable');

    await store.invalidate({ kind: 'key', key: KEY }, 'stale');
    expect(await members()).toMatchObject([{ key: member!.key, isFresh: false, softPurged: true }]);

    await store.invalidate({ kind: 'key', key: KEY }, 'purge');
    expect(await members()).toMatchObject([{ key: member!.key, isFresh: false, unreachable: true, ttl: 0 }]);
    expect(await list({ freshness: 'fresh' })).toEqual([]);
    expect(await entries.find([member!.key], false)).toMatchObject({ unreachable: true, isFresh: false });

    // Of another generation than the index that is there now.
    expect((await get(replica, origin)).outcome).toBe('MISS');
    const shown = await members();
    expect(shown.find(({ key }) => key === member!.key)).toMatchObject({ unreachable: true });
    expect(shown.filter(({ isFresh }) => isFresh)).toHaveLength(1);
  });
});
