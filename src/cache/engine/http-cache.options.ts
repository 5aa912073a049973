import type { NeverStored } from '../law/exchange-policy';
import type { RefreshListener } from './load-failure';
import type { SettlingTags } from './settling-tags';

/** How one engine works: that of routes and values, or that of an upstream. Durations in milliseconds, sizes in bytes. */
export interface HttpCacheOptions {
  /** Request fields that select every response, regardless of its `Vary`, in lower case. */
  readonly selecting: readonly string[];
  /** How long a stale response is kept for validation or `max-stale`. */
  readonly retainForRevalidationMs: number;
  /** Whether fields for a single client are stored like others, as in RFC 9111 §3.1. */
  readonly keepsEveryField?: boolean | undefined;
  /** Larger bodies are streamed and not stored. */
  readonly maxEntryBytes: number;
  readonly neverStored?: NeverStored;
  /**
   * Whether the origin is a handler of this service: it answers GET alone, and its key may be shared by callers of different rights, so
   * that a 401 or 403 concerns only the variant that it was given for.
   */
  readonly isOriginNeutral?: boolean;
  /** Whether a resource pauses after repeated failures; without it every request tries again. */
  readonly pausesAfterFailures?: boolean;
  /**
   * How long a request may wait for a load that continues and is stored. A response for this request alone may take as long as the
   * upstream needs.
   */
  readonly deadlineMs: number;
  /** The same with a stale entry as fallback. */
  readonly staleAfterMs: number;
  /** Whether a stale response stands in for a failed origin also where the request asks for a validated one. */
  readonly servesStaleDespiteDirectives?: boolean;
  /** Whether a stale response is served while the origin cannot be reached, unless a directive forbids it (RFC 9111 §4.2.4). */
  readonly servesStaleWhenDisconnected?: boolean;
  /** Absent if loads after an invalidation are stored like any other. */
  readonly settling?: SettlingTags;
  /** Called when a load has ended that no request waited for. */
  readonly onRefreshed?: RefreshListener;
  /** Uniform in [0, 1); `Math.random` except in tests. */
  readonly random?: () => number;
}
