/** One second of all replicas and workers, as `GET /events` sends it. */
export interface Figures {
  /** Milliseconds since the epoch, a whole second. */
  readonly at: number;
  /** Requests of that second, by outcome; absent means 0. */
  readonly requests: Readonly<Record<string, number>>;
  readonly latencyMs: Readonly<Record<string, { readonly p50: number; readonly p99: number }>>;
  readonly upstream: { readonly calls: number; readonly notModified: number; readonly saved: number };
  readonly l1: { readonly entries: number; readonly bytes: number; readonly maxBytes: number };
  readonly store: {
    readonly kind: 'memory' | 'redis';
    readonly isUp: boolean;
    readonly problem: string | null;
    readonly usedBytes: number | null;
    readonly entries: number | null;
  };
  readonly budgets: readonly Budget[];
  readonly breakers: readonly Breaker[];
  readonly runwayMs: { readonly p50: number; readonly least: number } | null;
  readonly replicas: readonly Replica[];
}

export interface Budget {
  readonly upstream: string;
  readonly credential: string;
  readonly resource: string;
  readonly limit: number;
  readonly remaining: number;
  readonly resetAt: number | string | null;
}

export interface Breaker {
  readonly upstream: string;
  readonly state: 'closed' | 'open' | 'half-open';
}

export interface Replica {
  readonly id: string;
  readonly pid: number;
  readonly workers: number;
  readonly startedAt: number;
  readonly version: string;
  readonly requests: number;
  readonly hits: number;
  readonly l1Bytes: number;
  readonly l1Entries: number;
  readonly isUp: boolean;
  readonly seenAt: number;
}

/** Answered from the cache without waiting for the API. */
const FROM_CACHE: readonly string[] = ['HIT', 'HIT_STALE', 'STALE_ON_ERROR'];

export function requestsOf(figures: Figures): number {
  return Object.values(figures.requests).reduce((sum, value) => sum + value, 0);
}

export function hitsOf(figures: Figures): number {
  return FROM_CACHE.reduce((sum, outcome) => sum + (figures.requests[outcome] ?? 0), 0);
}
