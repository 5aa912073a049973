import { ManualClock } from '../../kernel/clock';
import type { CacheEntry } from '../model/cache-entry';
import type { Found, Lease } from '../store/cache-store';
import { MemoryStore } from '../store/memory/memory-store';
import { newEntryId } from '../model/random-id';
import type { HitPointer } from '../model/exchange';
import { PLAIN, requestPolicy } from '../law/request-policy';
import { HitPointers } from './hit-pointers';

/** Answers reads only when it is told to, with what was there when they were sent: as a store behind a network. */
class DistantStore extends MemoryStore {
  private readonly replies: (() => void)[] = [];
  isDistant = false;

  override async find(key: string): Promise<Found | undefined> {
    const found = this.peek(key);
    if (this.isDistant) await new Promise<void>((resolve) => this.replies.push(resolve));
    return found;
  }

  /** Returns how many there were. */
  replyAll(): number {
    const replies = this.replies.splice(0);
    for (const reply of replies) reply();
    return replies.length;
  }
}

const clock = new ManualClock();
let store: DistantStore;
let pointers: HitPointers;

function entry(name: string, more: Partial<CacheEntry> = {}): CacheEntry {
  const now = clock.now();
  return {
    ...{ id: newEntryId(), status: 200, headers: [['x-name', name]], validators: {}, upstream: 'test', tags: [] },
    ...{ storedAt: now, freshUntil: now + 60_000, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 },
    ...{ mustRevalidate: false, loadDurationMs: 0, etag: '', coding: 'identity', body: Buffer.from(name), ...more },
  };
}

const index: CacheEntry = entry('index');
const pointer = (more: Partial<HitPointer> = {}): HitPointer => ({
  ...{ key: 'url', indexId: index.id, variantKeys: ['url|one', 'url|two'], selectedBy: [], ...more },
  freshUntil: clock.now() + 60_000,
});
const hitOf = async (one: HitPointer, policy = PLAIN): Promise<unknown> =>
  pointers.hitIn(await pointers.find(one), one, policy);
const hitAtOnce = (one: HitPointer): Promise<unknown> => {
  store.isDistant = false;
  return hitOf(one);
};
const nameOf = (hit: unknown): unknown =>
  typeof hit === 'object' && hit !== null ? (hit as Found).entry.body.toString() : hit;

async function leaseOf(key: string): Promise<Lease> {
  const seenId = store.peek(key)?.entry.id ?? '';
  const answer = await store.acquire({ key, token: newEntryId(), tags: [], seenId, leaseMs: 1_000 });
  if (answer.kind !== 'granted') throw new Error(`The lease of ${key} is ${answer.kind}.`);
  return answer.lease;
}

beforeEach(async () => {
  store = new DistantStore({ maxBytes: 1_000_000, maxEntries: 1_000 }, clock);
  pointers = new HitPointers(store, clock);
  await store.put('url', index);
});

describe('a hit pointer', () => {
  it('leads to the latest of the variants that a request selects', async () => {
    await store.put('url|one', entry('older'));
    clock.advance(10);
    await store.put('url|two', entry('newer'));
    expect(nameOf(pointers.peek(pointer(), PLAIN, clock.now()))).toBe('newer');
  });

  it('yields nothing in memory while a variant may be elsewhere, and the hit once a read has shown that it does not exist', async () => {
    await store.put('url|one', entry('one'));
    expect(pointers.peek(pointer(), PLAIN, clock.now())).toBeUndefined();
    expect(nameOf(await hitOf(pointer()))).toBe('one');
    expect(nameOf(pointers.peek(pointer(), PLAIN, clock.now()))).toBe('one');
  });

  it('leads to a variant that is stored after it was absent', async () => {
    await store.put('url|one', entry('one'));
    await pointers.find(pointer());
    clock.advance(10);
    await store.put('url|two', entry('two'));
    expect(nameOf(pointers.peek(pointer(), PLAIN, clock.now()))).toBe('two');
  });

  it('does not take a variant for absent that was stored while the read of it was under way', async () => {
    await store.put('url|one', entry('one'));
    store.isDistant = true;
    const reading = pointers.find(pointer());
    await store.put('url|two', entry('two'));
    await store.invalidate({ kind: 'key', key: 'url|two' }, 'purge'); // evicted from memory: only the shared store has it
    store.replyAll();
    await reading;
    expect(pointers.peek(pointer(), PLAIN, clock.now())).toBeUndefined();
  });

  it('is read once for requests that arrive meanwhile, and each gets what its own policy allows', async () => {
    const one = pointer();
    await store.put('url|one', entry('one'));
    clock.advance(2_000);
    store.isDistant = true;
    const asked = [hitOf(one), hitOf(one, requestPolicy([['cache-control', 'max-age=1']])), hitOf(one)];
    expect(store.replyAll()).toBe(3); // the index and two variants
    expect((await Promise.all(asked)).map(nameOf)).toEqual(['one', 'slow-path', 'one']);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['a change', () => store.put('url|one', entry('new'))],
    ['the end of a load, whose change may be announced later', async () => store.release(await leaseOf('url|one'))],
  ])('is read again for a request that arrives after %s', async (_name, change) => {
    const one = pointer();
    await store.put('url|one', entry('old'));
    store.isDistant = true;
    const before = hitOf(one);
    await change();
    const after = hitOf(one);
    expect(store.replyAll()).toBe(6); // twice the index and two variants
    expect(nameOf(await before)).toBe('old');
    expect(nameOf(await after)).toBe(nameOf(await hitAtOnce(one)));
  });

  it('does not take a variant for absent once a load of it has ended', async () => {
    await store.put('url|one', entry('one'));
    await pointers.find(pointer());
    await store.release(await leaseOf('url|two'));
    expect(pointers.peek(pointer(), PLAIN, clock.now())).toBeUndefined();
  });

  it('yields nothing once the index has changed', async () => {
    await store.put('url|one', entry('one'));
    await pointers.find(pointer());
    await store.put('url', entry('index'));
    expect(pointers.peek(pointer(), PLAIN, clock.now())).toBeUndefined();
    expect(await hitOf(pointer())).toBeUndefined();
  });

  it('leads to a response that is stored under the key itself, and nowhere once an index is there', async () => {
    const direct = pointer({ indexId: undefined, variantKeys: ['url'] });
    await store.put('url', entry('response'));
    expect(nameOf(pointers.peek(direct, PLAIN, clock.now()))).toBe('response');
    await store.put('url', entry('', { headers: [] }));
    expect(pointers.peek(direct, PLAIN, clock.now())).toBeUndefined();
  });

  it.each(['max-age=1', 'min-fresh=3600', 'no-cache'])('leaves %s to the slow path', async (directive) => {
    const direct = pointer({ indexId: undefined, variantKeys: ['url'] });
    await store.put('url', entry('response'));
    clock.advance(2_000);
    const policy = requestPolicy([['cache-control', directive]]);
    expect(pointers.peek(direct, policy, clock.now())).toBe('slow-path');
    expect(nameOf(pointers.peek(direct, PLAIN, clock.now()))).toBe('response');
  });
});
