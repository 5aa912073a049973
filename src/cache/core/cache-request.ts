import type { CacheEntry } from './cache-entry';
import type { CacheOutcome, CacheTier } from './cache-outcome';
import type { FreshnessPolicy } from './cache-rule';

/** What is asked of the cache: an entry by its key, under a policy. */
export interface CacheRequest {
  /** The entry's, or the resource's that it is a part of. */
  readonly key: string;
  /** The name of a part, of an entry that is made of a resource. */
  readonly part?: string;
  readonly upstream: string;
  /** Tags that the request tells; those of the response join them. */
  readonly tags: readonly string[];
  readonly policy: FreshnessPolicy;
  readonly marker?: string;
  /** Of the first load of a resource: what it is the first of (see `LeaseRequest`). */
  readonly selection?: string | undefined;
  /** Of a part: the soft-purge mark of the index that it was looked for under; absent for none. */
  readonly indexMark?: number;
}

/** An entry and what became of the request. */
export interface CacheAnswer {
  readonly entry: CacheEntry;
  readonly outcome: CacheOutcome;
  readonly tier: CacheTier;
  /** Why the upstream was or would have been asked (RFC 9211 §2.2); absent on a fresh hit. */
  readonly forwarded?: 'miss' | 'stale';
  /** Whether the request waited for another's load (RFC 9211 §2.6). */
  readonly collapsed?: boolean;
  /** Whether the response is stored now (RFC 9211 §2.5). */
  readonly stored?: boolean;
  /** Whether this request has begun a load that runs on behind the answer. */
  readonly isRefreshing?: boolean;
  /** The error code behind a `STALE_ON_ERROR`. */
  readonly failure?: string;
}
