import type { CacheOutcome, CacheTier } from '../model/cache-outcome';
import type { RefreshListener, RefreshReport } from './load-failure';

/** One request to the cache, published once its outcome is decided. */
export interface CacheEvent {
  readonly outcome: CacheOutcome;
  /** `none` for a problem of the service. */
  readonly tier: CacheTier | 'none';
  readonly upstream: string;
  readonly key: string;
  /**
   * The response's status, before a condition or a range of the request changes it (304, 206). Undefined for a problem: the edge derives
   * its status from `failure`.
   */
  readonly status: number | undefined;
  readonly durationMs: number;
  /** The id in the response's `X-Request-Id`. */
  readonly requestId?: string;
  /** The error code behind `ERROR` and `STALE_ON_ERROR`. */
  readonly failure?: string;
}

/** One call of a method with `@Cacheable`: its class and name, and how it was answered. */
export interface MethodCallEvent {
  readonly method: string;
  readonly outcome: CacheOutcome;
}

/** A whole value that Redis has stored for an entry. */
export interface StoreWrite {
  readonly upstream: string;
  /** `index` for the index of a resource; `response` for its members, and for every other entry. */
  readonly kind: 'response' | 'index';
  /** Head and body, as they are stored. */
  readonly bytes: number;
}

/** Publishes what happens in the cache to metrics, log and live page; the cache itself knows none of them. */
export class CacheEvents {
  /**
   * How often this process found its bookkeeping in Redis lost: an entry's place in the `index` of one of its tags, the `ledger` of
   * invalidations, or the `history` of the data, which went back to an older state. No wrong response was served: the entries concerned
   * count as misses.
   */
  readonly bookkeepingLost = { index: 0, ledger: 0, history: 0 };
  private readonly listeners: ((event: CacheEvent) => void)[] = [];
  private readonly refreshListeners: RefreshListener[] = [];
  private readonly methodListeners: ((event: MethodCallEvent) => void)[] = [];
  private readonly storeListeners: ((write: StoreWrite) => void)[] = [];

  subscribe(listener: (event: CacheEvent) => void): () => void {
    this.listeners.push(listener);
    return () => {
      const at = this.listeners.indexOf(listener);
      if (at >= 0) this.listeners.splice(at, 1);
    };
  }

  publish(event: CacheEvent): void {
    for (const listener of this.listeners) listener(event);
  }

  /** Subscribes to background loads. */
  onRefreshed(listener: RefreshListener): void {
    this.refreshListeners.push(listener);
  }

  refreshed(report: RefreshReport): void {
    for (const listener of this.refreshListeners) listener(report);
  }

  /** Subscribes to calls of cached methods, which are no requests. */
  onMethodCalled(listener: (event: MethodCallEvent) => void): void {
    this.methodListeners.push(listener);
  }

  methodCalled(event: MethodCallEvent): void {
    for (const listener of this.methodListeners) listener(event);
  }

  /** Subscribes to what is stored in Redis. */
  onStored(listener: (write: StoreWrite) => void): void {
    this.storeListeners.push(listener);
  }

  /** In the next turn of the event loop: the answer that waits for the write goes first. */
  stored(write: StoreWrite): void {
    setImmediate(() => {
      for (const listener of this.storeListeners) listener(write);
    });
  }
}
