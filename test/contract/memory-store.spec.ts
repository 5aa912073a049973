import { MemoryStore } from '../../src/cache/core/memory-store';
import { TieredStore } from '../../src/cache/core/tiered-store';
import { SystemClock } from '../../src/kernel/clock';
import { describeStore } from './store-contract';

const limits = { maxBytes: 256 * 1024 * 1024, maxEntries: 100_000 };

describeStore('MemoryStore', () => {
  const store = new MemoryStore(limits, new SystemClock());
  return Promise.resolve({ store, close: () => store.close() });
});

/** A shared store that is always heard: the memory store plays L2. */
class HeardMemoryStore extends MemoryStore {
  readonly isCoherent = true;
}

describeStore('TieredStore over a store in memory', () => {
  const clock = new SystemClock();
  const store = new TieredStore(limits, new HeardMemoryStore(limits, clock), clock);
  return Promise.resolve({ store, close: () => store.close() });
});
