import { CacheStore, type EntryListing, type SharedState, type SharedStore } from '../cache-store';
import { ifAvailable } from '../if-available';
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
    peek: () => undefined,
    find: async (key) => {
      const found = await entries.find(key);
      return found && { entry: found.entry, tier: 'l2' };
    },
    findOrAcquire(request) {
      return CacheStore.prototype.findOrAcquire.call(this, request);
    },
    // Waits in the host, where leases end; if the change precedes the call, the time-out ends the wait.
    change: async (key, waitMs) => {
      await Promise.race([line.changes.next(key, waitMs), ifAvailable(() => entries.change(key, waitMs))]);
    },
    onChange: (listener) => line.changes.onChange(listener),
    close: () => {
      line.close();
      return Promise.resolve();
    },
  };
}
