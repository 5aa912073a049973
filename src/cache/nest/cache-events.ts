import type { CacheOutcome, CacheTier } from '../model/cache-outcome';
import type { RefreshListener, RefreshReport } from '../engine/load-failure';

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

/** Publishes outcomes to metrics, log and live page; the cache itself knows none of them. */
export class CacheEvents {
  private readonly listeners: ((event: CacheEvent) => void)[] = [];
  private readonly refreshListeners: RefreshListener[] = [];
  private readonly methodListeners: ((event: MethodCallEvent) => void)[] = [];

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

  /** Subscribes to calls of cached methods, which are no requests. */
  onMethodCalled(listener: (event: MethodCallEvent) => void): void {
    this.methodListeners.push(listener);
  }

  methodCalled(event: MethodCallEvent): void {
    for (const listener of this.methodListeners) listener(event);
  }

  refreshed(report: RefreshReport): void {
    for (const listener of this.refreshListeners) listener(report);
  }
}
