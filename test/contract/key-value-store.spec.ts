import { Keyv } from 'keyv';
import { Clock, SystemClock } from '../../src/kernel/clock';
import {
  KeyValueBackend,
  type BackendOptions,
  type ForeignStore,
} from '../../src/cache/store/key-value/key-value-backend';
import { KeyValueStore } from '../../src/cache/store/key-value/key-value-store';
import { WrongClock } from '../support/cache-replica';
import { anEntry, asking, describeStore, fillUnder, leaseOf } from '../../testing/store-contract';

const limits = { maxBytes: 256 * 1024 * 1024, maxEntries: 100_000 };
const ignore = (): void => undefined;

function backendOf(store: ForeignStore, options: Partial<BackendOptions> = {}): KeyValueBackend {
  const clock = new SystemClock();
  return new KeyValueBackend(store, { clock, timeoutMs: 1_000, onTransition: ignore, onError: ignore, ...options });
}

function replica(backend: KeyValueBackend, clock: Clock = new SystemClock(), source = ''): KeyValueStore {
  return new KeyValueStore(limits, clock, backend, { name: 'larder', source });
}

const cannot = { keepsSoftPurged: false, findsPrefixes: false };

describe.each<[string, () => ForeignStore]>([
  ['a Map', () => new Map<string, string>()],
  ['a Keyv', () => new Keyv({ useKeyPrefix: false })],
])('over %s', (name, make) => {
  describeStore(
    `KeyValueStore over ${name}`,
    () => {
      const store = replica(backendOf(make()));
      return Promise.resolve({ store, close: () => store.close() });
    },
    cannot,
  );
});

describe.each([
  ['without memory', { maxBytes: 0, maxEntries: 1_000 }, 10],
  ['with too little memory for the entry', { maxBytes: 1_000_000, maxEntries: 1_000 }, 300_000],
])('%s', (_how, small, bodyBytes) => {
  const body = Buffer.alloc(bodyBytes, 'x');
  const open = (map: Map<string, string>): KeyValueStore =>
    new KeyValueStore(small, new SystemClock(), backendOf(map), { name: 'larder' });

  it('a load replaces the entry that was read', async () => {
    const store = open(new Map());
    const [stale, fresh] = [anEntry({ body }), anEntry({ body })];
    await fillUnder(store, 'github:k', stale);
    const lease = await leaseOf(store, 'github:k', { seenId: (await store.find('github:k'))!.entry.id });
    expect(await store.fill(lease, fresh)).toBe(true);
    expect((await store.find('github:k'))?.entry.id).toBe(fresh.id);
  });

  it('no lease is granted to a load that has read another entry, or one that is purged since', async () => {
    const map = new Map<string, string>();
    const [store, other] = [open(map), replica(backendOf(map))];
    const [first, second] = [anEntry({ body }), anEntry({ body })];
    await fillUnder(store, 'github:k', first);
    await fillUnder(other, 'github:k', second, { seenId: (await other.find('github:k'))!.entry.id });
    expect((await store.acquire(asking('github:k', { seenId: first.id }))).kind).toBe('changed');
    await other.invalidate({ kind: 'key', key: 'github:k' }, 'purge');
    expect((await store.acquire(asking('github:k', { seenId: second.id }))).kind).toBe('changed');
  });

  it('a load stores nothing over an entry that the other replica has stored meanwhile', async () => {
    const map = new Map<string, string>();
    const [store, other] = [open(map), replica(backendOf(map))];
    const [first, second] = [anEntry({ body }), anEntry({ body })];
    await fillUnder(store, 'github:k', first);
    const lease = await leaseOf(store, 'github:k', { seenId: first.id });
    await fillUnder(other, 'github:k', second, { seenId: (await other.find('github:k'))!.entry.id });
    expect(await store.fill(lease, anEntry({ body }))).toBe(false);
    expect((await store.find('github:k'))?.entry.id).toBe(second.id);
  });
});

describe('two replicas on one key-value store', () => {
  let map: Map<string, string>;
  let a: KeyValueStore;
  let b: KeyValueStore;

  beforeEach(() => {
    map = new Map();
    [a, b] = [replica(backendOf(map)), replica(backendOf(map))];
  });

  it('find what the other has stored', async () => {
    const entry = anEntry();
    await fillUnder(a, 'github:k', entry);
    expect((await b.find('github:k'))?.entry).toEqual(entry);
    expect((await b.acquire(asking('github:k', { seenId: entry.id }))).kind).toBe('granted');
  });

  it.each([
    ['key', { kind: 'key', key: 'github:k' }],
    ['tag', { kind: 'tag', tag: 't' }],
    ['tag of the upstream', { kind: 'tag', tag: 'upstream:github' }],
    ['prefix', { kind: 'prefix', prefix: 'github:' }],
  ] as const)('find nothing that the other has purged by %s, also where both have copies', async (_how, target) => {
    await fillUnder(a, 'github:k', anEntry({ tags: ['t'] }));
    await b.find('github:k');
    await a.invalidate(target, 'purge');
    expect([await a.find('github:k'), await b.find('github:k')]).toEqual([undefined, undefined]);
  });

  it.each([
    ['key', { kind: 'key', key: 'github:k' }],
    ['tag', { kind: 'tag', tag: 't' }],
    ['tag that only the response tells', { kind: 'tag', tag: 'told' }],
    ['prefix', { kind: 'prefix', prefix: 'github:' }],
  ] as const)('serve no load that began before the other purged by %s', async (_how, target) => {
    const lease = await leaseOf(a, 'github:k', { tags: ['t'] });
    await b.invalidate(target, 'purge');
    await a.fill(lease, anEntry({ tags: ['t', 'told'] }));
    expect([await a.find('github:k'), await b.find('github:k')]).toEqual([undefined, undefined]);
    await fillUnder(a, 'github:k', anEntry({ tags: ['t', 'told'] }));
    expect(await b.find('github:k')).toBeDefined();
  });

  it('keep the entry that was stored first, of two loads at once', async () => {
    const [first, second] = [await leaseOf(a, 'k'), await leaseOf(b, 'k')];
    const entry = anEntry({ body: Buffer.from('first') });
    expect(await a.fill(first, entry)).toBe(true);
    expect(await b.fill(second, anEntry({ body: Buffer.from('second') }))).toBe(false);
    expect((await b.find('k'))?.entry.body.toString()).toBe('first');
  });

  it('serve nothing whose bookkeeping was evicted', async () => {
    await fillUnder(a, 'github:k', anEntry({ tags: ['t'] }));
    for (const name of map.keys()) if (name.includes(':g:')) map.delete(name);
    expect([await a.find('github:k'), await b.find('github:k')]).toEqual([undefined, undefined]);
  });

  it('count what is no entry of theirs as a miss', async () => {
    await fillUnder(a, 'k', anEntry());
    for (const name of map.keys()) if (name.includes(':e:')) map.set(name, 'garbage');
    expect(await b.find('k')).toBeUndefined();
    const other = replica(backendOf(map), new SystemClock(), 'another-api');
    await fillUnder(a, 'k2', anEntry());
    expect(await other.find('k2')).toBeUndefined();
  });
});

describe('a key-value store that fails', () => {
  it('is asked again a second later; meanwhile copies answer, and no purge is promised', async () => {
    const clock = new WrongClock();
    const told: (string | undefined)[] = [];
    const map = new Map<string, string>();
    let mode: 'up' | 'throws' | 'hangs' = 'up';
    let asked = 0;
    const foreign: ForeignStore = {
      get: (name) => {
        asked += 1;
        if (mode === 'throws') throw new Error('gone');
        return mode === 'hangs' ? new Promise(ignore) : map.get(name);
      },
      set: (name, value) => map.set(name, value),
      del: (name) => map.delete(name),
    };
    const store = replica(
      backendOf(foreign, { clock, timeoutMs: 30, onTransition: (problem) => told.push(problem) }),
      clock,
    );
    await fillUnder(store, 'k', anEntry());
    for (const way of ['throws', 'hangs'] as const) {
      mode = way;
      expect(await store.find('k')).toBeDefined();
      const before = asked;
      expect(await store.find('k')).toBeDefined();
      expect(asked).toBe(before);
      await expect(store.invalidate({ kind: 'key', key: 'other' }, 'purge')).rejects.toMatchObject({
        name: 'StoreUnavailableError',
      });
      mode = 'up';
      clock.wrongByMs += 1_001;
      expect(await store.find('k')).toBeDefined();
    }
    expect(told).toEqual(['gone', undefined, 'no reply within 30 ms', undefined]);
  });

  it('is refused where it is no store', () => {
    expect(() => backendOf({ get: ignore, set: ignore })).toThrow('has no get, set and delete (or del)');
  });

  it('that emits an error does not end the process', () => {
    const keyv = new Keyv({ useKeyPrefix: false });
    const problems: string[] = [];
    backendOf(keyv, { onError: (problem) => problems.push(problem) });
    keyv.emit('error', new Error('lost'));
    expect(problems).toEqual(['lost']);
  });
});
