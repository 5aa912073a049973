import { LRUCache } from 'lru-cache';
import { atMost } from '../../kernel/at-most';
import { z } from 'zod';
import type { CacheStore } from '../../cache';
import type { Clock } from '../../kernel/clock';
import {
  after,
  isReserved,
  merged,
  NOTHING_KNOWN,
  waitOf,
  type CredentialBudget,
  type LimitReading,
} from './credential-budget';

/** A credential's budget as an operator looks at it. */
export interface BudgetView extends CredentialBudget {
  readonly credential: string;
}

interface Known {
  budget: CredentialBudget;
  /** The note as it was last seen; undefined for none. */
  seen: string | undefined;
  publishedAt: number;
  isPublishing: boolean;
  /** Whether there is more to publish than the publication under way. */
  isUnpublished: boolean;
}

const MAX_CREDENTIALS = 10_000;
const REMEMBERED_MS = 3_600_000;
/** How often a change that is not urgent is published. */
const PUBLISH_EVERY_MS = 500;
/** How old the other replicas' view may be when a request is sent, while plenty is left. */
const SYNCED_WITHIN_MS = 20;
/** The share of a limit below which each answer is published, and each request reads what others have published. */
const LOW_SHARE = 0.1;

/**
 * The limits of credentials, from the responses of this process and of all replicas.
 *
 * Its one invariant: no replica erases the knowledge of another. A shared value is replaced only by its merge with the local one:
 *
 *   1. A and B have seen the value N
 *   2. A's response shows that a limit is exhausted; A stores N+A over N
 *   3. B has a slow response from before that, and would store N+B over N: N is gone
 *   4. B reads N+A, and stores N+A+B over it
 *
 * Without the store each replica uses its own responses alone.
 */
export class SharedBudgets {
  /** Grows with each change of what this process knows of any credential. */
  revision = 0;
  private readonly known = new LRUCache<string, Known>(atMost(MAX_CREDENTIALS));
  private readonly reads = new Map<string, Promise<void>>();
  /** When each credential's last read ended. One that is forgotten is read again. */
  private readonly syncedAt = new LRUCache<string, number>(atMost(MAX_CREDENTIALS));

  constructor(
    private readonly group: string,
    private readonly store: CacheStore,
    private readonly clock: Clock,
  ) {}

  of(credential: string): CredentialBudget {
    return this.known.get(credential)?.budget ?? NOTHING_KNOWN;
  }

  /**
   * Settles when what the other replicas know has been read; undefined where it was read just now. Requests that come during a read
   * wait for it.
   *
   * @param resources if little is left of one of these, the store is read in any case
   */
  sync(credential: string, resources: readonly string[] = []): Promise<void> | undefined {
    const now = this.clock.now();
    const isRecent = now - (this.syncedAt.get(credential) ?? -Infinity) <= SYNCED_WITHIN_MS;
    const budget = this.of(credential);
    const isLow = resources.some((resource) => isReserved(budget, resource, LOW_SHARE, now));
    if (isRecent && !isLow) return undefined;
    const underWay = this.reads.get(credential);
    if (underWay) return underWay;
    const read = this.read(credential).finally(() => {
      this.syncedAt.set(credential, this.clock.now());
      this.reads.delete(credential);
    });
    this.reads.set(credential, read);
    return read;
  }

  /** @param sentAt when the request was sent whose answer says it */
  record(credential: string, readings: readonly LimitReading[], sentAt: number): void {
    const now = this.clock.now();
    const known = this.knownOf(credential);
    this.revision += 1;
    known.budget = readings.reduce((budget, reading) => after(budget, reading, { sentAt, now }), known.budget);
    const isUrgent = readings.some(
      ({ resource }) => waitOf(known.budget, resource, now) > 0 || isReserved(known.budget, resource, LOW_SHARE, now),
    );
    if (isUrgent || now - known.publishedAt >= PUBLISH_EVERY_MS) void this.publish(credential, known);
  }

  /** All credentials that any replica has seen lately. */
  async list(): Promise<readonly BudgetView[]> {
    const shared = await this.store.shared.readAll(this.group).catch(() => []);
    const budgets = new Map(this.peek());
    for (const [credential, text] of shared) {
      const shared = parseBudget(text);
      if (shared) budgets.set(credential, merged(budgets.get(credential) ?? NOTHING_KNOWN, shared));
    }
    return [...budgets].map(([credential, budget]) => ({ credential, ...budget }));
  }

  /** What this process knows, the credentials seen last first. */
  peek(): readonly (readonly [credential: string, budget: CredentialBudget])[] {
    return [...this.known.entries()].map(([credential, { budget }]) => [credential, budget] as const);
  }

  private async read(credential: string): Promise<void> {
    const text = await this.store.shared.read(this.group, credential).catch(() => undefined);
    // Unknown credentials, such as made-up ones, evict no others.
    if (text !== undefined) this.merge(this.knownOf(credential), text);
  }

  /** One at a time for each credential, in the background. */
  private async publish(credential: string, known: Known): Promise<void> {
    known.isUnpublished = true;
    if (known.isPublishing) return;
    known.isPublishing = true;
    known.publishedAt = this.clock.now();
    try {
      while (known.isUnpublished) {
        known.isUnpublished = false;
        const text = JSON.stringify(known.budget);
        const answer = await this.store.shared.compareAndSet(this.group, credential, known.seen, text, REMEMBERED_MS);
        if (answer.kind === 'stored') known.seen = text;
        else {
          this.merge(known, answer.text);
          known.isUnpublished = true;
        }
      }
    } catch {
      known.isUnpublished = false; // the store is away: its own part of the log says so, and the next answer is published again
    } finally {
      known.isPublishing = false;
    }
  }

  private merge(known: Known, text: string | undefined): void {
    if (known.seen === text) return;
    known.seen = text;
    const told = text === undefined ? undefined : parseBudget(text);
    if (!told) return;
    known.budget = merged(known.budget, told);
    this.revision += 1;
  }

  private knownOf(credential: string): Known {
    let known = this.known.get(credential);
    if (!known) {
      known = {
        budget: NOTHING_KNOWN,
        seen: undefined,
        publishedAt: -Infinity,
        isPublishing: false,
        isUnpublished: false,
      };
      this.known.set(credential, known);
    }
    return known;
  }
}

const instant = z.number().nonnegative();
const sharedBudget = z.object({
  resources: z.record(
    z.string(),
    z.object({ limit: instant, remaining: instant, resetAt: instant, seenAt: instant.optional() }),
  ),
  pausedUntil: instant,
  consecutiveRefusals: instant,
});

/** The budget that another replica has stored; undefined for any other text. */
function parseBudget(text: string): CredentialBudget | undefined {
  try {
    return sharedBudget.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined; // not ours: as if nothing were known
  }
}
