import { deserialize, serialize } from 'node:v8';
import { openIpcStore } from '../../src/cache/store/ipc/ipc-store';
import { StoreHost } from '../../src/cache/store/ipc/store-host';
import type { StoreMessage, StorePort } from '../../src/cache/store/ipc/store-messages';
import { MemoryStore } from '../../src/cache/store/memory/memory-store';
import { TieredStore } from '../../src/cache/store/tiered-store';
import { SystemClock } from '../../src/kernel/clock';
import { waitUntil } from '../support/wait-until';
import { anEntry, asking, describeStore, leaseOf } from '../../testing/store-contract';

const limits = { maxBytes: 256 * 1024 * 1024, maxEntries: 100_000 };

interface Line {
  readonly host: StorePort;
  readonly worker: StorePort;
  readonly cut: () => void;
  /** Keeps what is posted until the function is called that it returns. */
  readonly hold: () => () => void;
}

/** Two ends of a line, coded as node:cluster codes it, in order, a turn of the loop later. */
function line(): Line {
  const ends = [0, 1].map(() => ({ hear: [] as ((message: StoreMessage) => void)[], closed: [] as (() => void)[] }));
  let isCut = false;
  let held: (() => void)[] | undefined;
  const port = (own: number): StorePort => ({
    post: (message) => {
      const bytes = serialize(message);
      const deliver = (): void => {
        if (!isCut) for (const listener of ends[1 - own]!.hear) listener(deserialize(bytes) as StoreMessage);
      };
      if (held) held.push(deliver);
      else setImmediate(deliver);
    },
    onMessage: (listener) => void ends[own]!.hear.push(listener),
    onClose: (listener) => void ends[own]!.closed.push(listener),
  });
  const cut = (): void => {
    isCut = true;
    for (const { closed } of ends) for (const listener of closed) listener();
  };
  const hold = (): (() => void) => {
    const later: (() => void)[] = (held = []);
    return () => {
      held = undefined;
      for (const deliver of later) deliver();
    };
  };
  return { host: port(0), worker: port(1), cut, hold };
}

describeStore('TieredStore over a store in another process', () => {
  const clock = new SystemClock();
  const host = new StoreHost(new MemoryStore(limits, clock));
  const { host: hostPort, worker, cut } = line();
  host.serve(hostPort);
  const store = new TieredStore(limits, openIpcStore(worker, 1_000), clock);
  return Promise.resolve({
    store,
    close: async () => {
      cut();
      await store.close();
    },
  });
});

describe('workers with one store in their primary process', () => {
  const open = (kept = limits, timeoutMs = 30_000) => {
    const clock = new SystemClock();
    const host = new StoreHost(new MemoryStore(kept, clock));
    const join = () => {
      const { host: hostPort, worker, cut, hold } = line();
      host.serve(hostPort);
      return { store: new TieredStore(limits, openIpcStore(worker, timeoutMs), clock), cut, hold };
    };
    return { one: join(), two: join() };
  };

  it('drop their copies before the one who invalidates is answered', async () => {
    const { one, two } = open();
    await one.store.put('k', anEntry());
    await two.store.find('k');
    expect(two.store.peek('k')).toBeDefined();
    await one.store.invalidate({ kind: 'key', key: 'k' }, 'purge');
    expect(two.store.peek('k')).toBeUndefined();
    expect(await two.store.find('k')).toBeUndefined();
  });

  const copied = async () => {
    const { one, two } = open();
    await one.store.put('k', anEntry());
    await two.store.find('k');
    expect(two.store.peek('k')).toBeDefined();
    return { one, two };
  };

  it.each([
    ['an invalidation', (store: TieredStore) => store.invalidate({ kind: 'key', key: 'k' }, 'purge')],
    ['a put', (store: TieredStore) => store.put('k', anEntry())],
  ])('are not answered for %s before each worker has received it', async (_what, change) => {
    const { one, two } = await copied();
    const release = two.hold();
    let isAnswered = false;
    const answered = Promise.resolve(change(one.store)).then(() => (isAnswered = true));
    await one.store.find('another'); // asked later, answered earlier
    expect(isAnswered).toBe(false);
    release();
    await answered;
    expect(two.store.peek('k')).toBeUndefined();
  });

  it('are answered although one worker receives nothing, because it does not use its copies any more', async () => {
    const { one, two } = await copied();
    const release = two.hold();
    await one.store.invalidate({ kind: 'key', key: 'k' }, 'purge');
    expect(two.store.peek('k')).toBeUndefined();
    release();
    expect(await two.store.find('k')).toBeUndefined();
  });

  it('are answered when a worker has died in between', async () => {
    const { one, two } = await copied();
    two.hold();
    const answered = one.store.invalidate({ kind: 'key', key: 'k' }, 'purge');
    await one.store.find('another');
    two.cut();
    expect(await answered).toBe(1);
  });

  it('drop their copies of evicted entries, which no invalidation would find', async () => {
    const { one, two } = open({ ...limits, maxEntries: 2 });
    await one.store.put('k', anEntry({ tags: ['t'] }));
    await two.store.find('k');
    expect(two.store.peek('k')).toBeDefined();
    for (const key of ['a', 'b']) await one.store.put(key, anEntry());
    await one.store.invalidate({ kind: 'tag', tag: 't' }, 'purge');
    expect(two.store.peek('k')).toBeUndefined();
  });

  it('give one lease for a key, and a dead worker gives its own back', async () => {
    const { one, two } = open();
    await leaseOf(one.store, 'k');
    expect((await two.store.acquire(asking('k'))).kind).toBe('held');
    one.cut();
    expect((await two.store.acquire(asking('k'))).kind).toBe('granted');
  });

  it('give back the lease of a selection also after a refused fill', async () => {
    const { one, two } = open();
    const late = await leaseOf(one.store, 'k', { selection: 'a' });
    await two.store.fill(await leaseOf(two.store, 'k', { selection: 'b' }), anEntry({ id: 'first-stored' }));
    expect(await one.store.fill(late, anEntry())).toBe(false);
    const again = asking('k', { selection: 'a', seenId: 'first-stored' });
    expect((await two.store.acquire(again)).kind).toBe('held');
    one.cut();
    expect((await two.store.acquire(again)).kind).toBe('granted');
  });

  it('give back a lease that comes too late', async () => {
    const { one, two } = open(limits, 200);
    const release = one.hold();
    expect(await one.store.acquire(asking('k'))).toMatchObject({ kind: 'granted', lease: { scope: 'local' } });
    release();
    await waitUntil(async () => (await two.store.acquire(asking('k'))).kind === 'granted', { what: 'the lease' });
  });

  it('go on alone when the line is cut', async () => {
    const { one } = open();
    one.cut();
    expect(await one.store.find('k')).toBeUndefined();
    expect((await one.store.acquire(asking('k'))).kind).toBe('granted');
    await expect(one.store.invalidate({ kind: 'key', key: 'k' }, 'purge')).rejects.toThrow('closed');
  });
});
