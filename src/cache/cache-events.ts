import type { CacheOutcome, CacheTier } from './core/cache-outcome';

/** One request that came through the cache, told after its answer is decided. */
export interface CacheEvent {
  readonly outcome: CacheOutcome;
  readonly tier: CacheTier | 'none';
  readonly upstream: string;
  readonly key: string;
  readonly status: number;
  readonly durationMs: number;
  /** The error code behind `ERROR` and `STALE_ON_ERROR`. */
  readonly failure?: string;
}

/** Where metrics, log and live page hear of outcomes; the cache itself knows none of them. */
export class CacheEvents {
  private readonly listeners: ((event: CacheEvent) => void)[] = [];

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
}
