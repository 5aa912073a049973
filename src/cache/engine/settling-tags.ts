import type { Clock } from '../../kernel/clock';
import { tagOfUpstream } from '../model/cache-key';
import type { CacheStore, Lease } from '../store/cache-store';
import { ifAvailable } from '../store/if-available';
import type { ResponsePolicy } from '../law/response-policy';

/** How long a response about something that has just changed is fresh, in milliseconds. */
const SETTLING_FRESH_MS = 1_000;

/**
 * The tags that a write or an event has just changed. An API may still return the old response right after its own event: for a while a
 * response with such a tag is fresh for a second at most, so that the old state does not stay for its whole lifetime.
 *
 * The invariant: a load that began after an invalidation and before the end of its window finds it here, on every replica:
 *
 *   1. replica A marks the tag as settling, then invalidates it; the count of invalidations grows
 *   2. replica B's load is granted its lease. Before the invalidation: its fill is refused anyway. After it: the lease has the new
 *      count, so B looks for the mark, which is there
 *
 * A hit costs nothing; a load costs one look-up of its tags, in parallel with the request to the API, and only for a while after an
 * invalidation.
 */
export class SettlingTags {
  private sequence = -1;
  private changedAt = -Infinity;

  /** @param windowMs how long a change takes to settle, 0 for no time */
  constructor(
    private readonly store: CacheStore,
    private readonly clock: Clock,
    private readonly windowMs: number,
  ) {
    store.onChange(({ kind }) => {
      if (kind !== 'key' && kind !== 'lease') this.changedAt = this.clock.now();
    });
  }

  /**
   * Must be called before the tags are invalidated. A store that is down refuses the invalidation, too.
   *
   * @param windowMs how long these take to settle, at most the configured window
   */
  async begin(tags: readonly string[], windowMs = this.windowMs): Promise<void> {
    if (windowMs === 0) return;
    await ifAvailable(() => Promise.all(tags.map((tag) => this.store.shared.claim(markOf(tag), windowMs, 'renew'))));
  }

  /**
   * Whether a load under this lease concerns a settling tag; undefined if nothing was invalidated recently. Must be called before the load
   * begins.
   *
   * @param upstream the upstream of the load: after an invalidation of a whole upstream, all its responses settle
   */
  isSettling(upstream: string, tags: readonly string[], { sequence }: Lease): Promise<boolean> | undefined {
    if (this.windowMs === 0) return undefined;
    if (sequence !== this.sequence) {
      this.sequence = sequence;
      this.changedAt = this.clock.now();
    }
    if (this.clock.now() - this.changedAt > this.windowMs) return undefined;
    return this.hasMark([tagOfUpstream(upstream), ...tags]);
  }

  private async hasMark(tags: readonly string[]): Promise<boolean> {
    const marks = await ifAvailable(() => Promise.all(tags.map((tag) => this.store.shared.isClaimed(markOf(tag)))));
    return marks?.some(Boolean) ?? true; // unknown: the short life is the safe one
  }
}

function markOf(tag: string): string {
  return `settling:${tag}`;
}

/** The policy of a response about a settling tag: fresh for a second, then validated before any use. */
export function whileSettling(policy: ResponsePolicy): ResponsePolicy {
  return { ...policy, lifetimeMs: Math.min(policy.lifetimeMs, SETTLING_FRESH_MS), staleWhileRevalidateMs: 0 };
}
