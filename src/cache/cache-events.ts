import type { CacheOutcome, CacheTier } from './core/cache-outcome';
import type { RefreshListener, RefreshReport } from './core/refresh-report';

/** One request that came through the cache, told after its answer is decided. */
export interface CacheEvent {
  readonly outcome: CacheOutcome;
  /** `none` where the answer is a problem of ours. */
  readonly tier: CacheTier | 'none';
  readonly upstream: string;
  readonly key: string;
  /**
   * Of the response, whatever a condition or a range of the request makes of it (304, 206). Undefined where the answer is a problem:
   * the edge decides its status, by `failure`.
   */
  readonly status: number | undefined;
  readonly durationMs: number;
  /** The id that the answer carries in `X-Request-Id`. */
  readonly requestId?: string;
  /** The error code behind `ERROR` and `STALE_ON_ERROR`. */
  readonly failure?: string;
}

/** Where metrics, log and live page hear of outcomes; the cache itself knows none of them. */
export class CacheEvents {
  private readonly listeners: ((event: CacheEvent) => void)[] = [];
  private readonly refreshListeners: RefreshListener[] = [];

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

  /** Subscribes to loads that no request waited for. */
  onRefreshed(listener: RefreshListener): void {
    this.refreshListeners.push(listener);
  }

  refreshed(report: RefreshReport): void {
    for (const listener of this.refreshListeners) listener(report);
  }
}
