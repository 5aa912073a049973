import { CacheStore, type EntryListing, type SharedState, type SharedStore } from '../cache-store';
import { StoreLine } from './store-line';
import { REMOTE_OPERATIONS, type RemoteEntries, type StorePart, type StorePort } from './store-messages';

/** The store that another process of this machine keeps for all workers of the service. */
export function openIpcStore(port: StorePort, timeoutMs: number): SharedStore {
  const line = new StoreLine(port, timeoutMs);
  const remote = <Part>(part: StorePart): Part => {
    const operations = REMOTE_OPERATIONS[part].map((name) => [
      name,
      (...args: readonly unknown[]) => line.call(part, name, args),
    ]);
    return Object.fromEntries(operations) as Part;
  };
  const entries = remote<RemoteEntries>('entries');
  return {
    ...entries,
    shared: remote<SharedState>('shared'),
    listing: remote<EntryListing>('listing'),
    get isCoherent() {
      return line.isCoherent;
    },
    find: async (key) => {
      const found = await entries.find(key);
      return found && { entry: found.entry, tier: 'l2' };
    },
    findOrAcquire(request) {
      return CacheStore.prototype.findOrAcquire.call(this, request);
    },
    onChange: (listener) => line.changes.onChange(listener),
    close: () => {
      line.close();
      return Promise.resolve();
    },
  };
}
