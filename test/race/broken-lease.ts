import type { CacheEntry } from '../../src/cache/core/cache-entry';
import type { CacheStore, Lease } from '../../src/cache/core/cache-store';

/** The planted bug: a store that keeps what a load brought whether or not its lease still stands. */
export function withBrokenLease(store: CacheStore): CacheStore {
  const fill = async ({ key }: Lease, entry: CacheEntry): Promise<boolean> => {
    await store.put(key, entry);
    return true;
  };
  return new Proxy(store, {
    get(target, name) {
      if (name === 'fill') return fill;
      const member: unknown = Reflect.get(target, name);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
}
