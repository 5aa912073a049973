import { ManualClock } from '../../kernel/clock';
import type { CacheEntry } from '../model/cache-entry';
import type { Found } from '../store/cache-store';
import { IndexMemory, type FoundIndex } from './index-memory';
import { MemoryStore } from '../store/memory/memory-store';
import { indexFor, readIndex } from '../model/resource-index';

/** A store that is not in this process's memory, and tells what it is asked for before it answers anything. */
class RemoteStore extends MemoryStore {
  readonly asked: string[] = [];
  private answer: (() => void) | undefined;
  private answering = Promise.resolve();

  hold(): void {
    this.answering = new Promise((resolve) => (this.answer = resolve));
  }

  letGo(): void {
    this.answer?.();
  }

  override peek(): undefined {
    return undefined;
  }

  override async find(key: string): Promise<Found | undefined> {
    this.asked.push(key);
    await this.answering;
    return super.peek(key);
  }
}

const clock = new ManualClock();
const indexOf = (): CacheEntry =>
  indexFor(undefined, { names: [], endsAt: clock.now() + 60_000 }, { upstream: 'api', tags: [], now: clock.now() })
    .entry;

describe('the memory of indexes', () => {
  const open = async () => {
    const store = new RemoteStore({ maxBytes: 1_000_000, maxEntries: 100 }, clock);
    await store.put('url', indexOf());
    const memory = new IndexMemory();
    const find = () =>
      memory.find(
        store,
        'url',
        async () => ({ found: await store.find('url') }),
        ({ generation }) => [`url|${generation}`],
      );
    return { store, find };
  };

  it('asks for an index that it knows together with what it leads to', async () => {
    const { store, find } = await open();
    expect((await find()).prefetched.size).toBe(0);
    store.asked.length = 0;
    store.hold();
    const finding = find();
    expect(store.asked).toEqual(['url', expect.stringMatching(/^url\|[\w-]+$/)]);
    store.letGo();
    const [key] = (await finding).prefetched.keys();
    expect(key).toBe(store.asked[1]);
  });

  it('asks for the index alone once it is gone', async () => {
    const { store, find } = await open();
    await find();
    await store.invalidate({ kind: 'key', key: 'url' }, 'purge');
    expect((await find()).found).toBeUndefined();
    store.asked.length = 0;
    await find();
    expect(store.asked).toEqual(['url']);
  });

  it('uses the current index, not an earlier one', async () => {
    const { store, find } = await open();
    const generationOf = ({ found }: FoundIndex) => found && readIndex(found.entry)?.generation;
    const before = generationOf(await find());
    await store.put('url', indexOf());
    const changed = await find();
    const after = generationOf(changed);
    expect(after).not.toBe(before);
    expect([...changed.prefetched.keys()]).toEqual([`url|${before}`]);
    expect([...(await find()).prefetched.keys()]).toEqual([`url|${after}`]);
  });
});
