import { LRUCache } from 'lru-cache';
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
  toldAt: number;
  isTelling: boolean;
  /** Whether there is more to tell than what is on its way. */
  isUntold: boolean;
}

const MOST_CREDENTIALS = 10_000;
const REMEMBERED_MS = 3_600_000;
/** How often what changes nothing is told. */
const TELL_EVERY_MS = 500;
/** So old may be what other replicas know when a request is sent, while plenty is left. */
const HEARD_WITHIN_MS = 20;
/** What is left of a limit from which on each answer is told, and each request asks what others know, as a share. */
const LOW_SHARE = 0.1;

/**
 * What is known of the credentials' limits, by the answers of this process and by those of all replicas.
 *
 * Its one invariant: what one has learned, no other erases. A note is replaced only by its merge with what is known here:
 *
 *   1. A and B have seen the note N
 *   2. A learns that a limit is spent and leaves N+A over N
 *   3. B has a slow answer, of before that, and would leave N+B over N: that is not there any more
 *   4. B hears N+A, and leaves N+A+B over it
 *
 * Without the store each replica goes by the answers that it sees itself.
 */
export class SharedBudgets {
  private readonly known = new LRUCache<string, Known>({ max: MOST_CREDENTIALS });
  private readonly reads = new Map<string, Promise<void>>();
  /** When each credential's last read ended. One that is forgotten is read again. */
  private readonly heardAt = new LRUCache<string, number>({ max: MOST_CREDENTIALS });

  constructor(
    private readonly group: string,
    private readonly store: CacheStore,
    private readonly clock: Clock,
  ) {}

  of(credential: string): CredentialBudget {
    return this.known.get(credential)?.budget ?? NOTHING_KNOWN;
  }

  /**
   * Settles when it is known what the other replicas know; undefined where that was heard just now. All who come while it is asked
   * for wait for that.
   *
   * @param resource of which, if little is left, it is asked in any case
   */
  hear(credential: string, resource?: string): Promise<void> | undefined {
    const now = this.clock.now();
    const isRecent = now - (this.heardAt.get(credential) ?? -Infinity) <= HEARD_WITHIN_MS;
    const isLow = resource !== undefined && isReserved(this.of(credential), resource, LOW_SHARE, now);
    if (isRecent && !isLow) return undefined;
    const underWay = this.reads.get(credential);
    if (underWay) return underWay;
    const read = this.read(credential).finally(() => {
      this.heardAt.set(credential, this.clock.now());
      this.reads.delete(credential);
    });
    this.reads.set(credential, read);
    return read;
  }

  /** @param sentAt when the request was sent whose answer says it */
  learn(credential: string, reading: LimitReading, sentAt: number): void {
    const now = this.clock.now();
    const known = this.knownOf(credential);
    known.budget = after(known.budget, reading, { sentAt, now });
    const isUrgent =
      waitOf(known.budget, reading.resource, now) > 0 || isReserved(known.budget, reading.resource, LOW_SHARE, now);
    if (isUrgent || now - known.toldAt >= TELL_EVERY_MS) void this.tell(credential, known);
  }

  /** All credentials that any replica has seen lately. */
  async list(): Promise<readonly BudgetView[]> {
    const shared = await this.store.notes(this.group).catch(() => []);
    const budgets = new Map(this.peek());
    for (const [credential, text] of shared) {
      const told = parseBudget(text);
      if (told) budgets.set(credential, merged(budgets.get(credential) ?? NOTHING_KNOWN, told));
    }
    return [...budgets].map(([credential, budget]) => ({ credential, ...budget }));
  }

  /** What this process knows, the credentials seen last first. */
  peek(): readonly (readonly [credential: string, budget: CredentialBudget])[] {
    return [...this.known.entries()].map(([credential, { budget }]) => [credential, budget] as const);
  }

  private async read(credential: string): Promise<void> {
    const text = await this.store.readNote(this.group, credential).catch(() => undefined);
    // Credentials of which nothing is known, such as made-up ones, take nobody's place.
    if (text !== undefined) heed(this.knownOf(credential), text);
  }

  /** One at a time for each credential; nobody waits for it. */
  private async tell(credential: string, known: Known): Promise<void> {
    known.isUntold = true;
    if (known.isTelling) return;
    known.isTelling = true;
    known.toldAt = this.clock.now();
    try {
      while (known.isUntold) {
        known.isUntold = false;
        const text = JSON.stringify(known.budget);
        const answer = await this.store.note(this.group, credential, known.seen, text, REMEMBERED_MS);
        if (answer.kind === 'left') known.seen = text;
        else {
          heed(known, answer.text);
          known.isUntold = true;
        }
      }
    } catch {
      known.isUntold = false; // the store is away: its own part of the log says so, and the next answer tells again
    } finally {
      known.isTelling = false;
    }
  }

  private knownOf(credential: string): Known {
    let known = this.known.get(credential);
    if (!known) {
      known = { budget: NOTHING_KNOWN, seen: undefined, toldAt: -Infinity, isTelling: false, isUntold: false };
      this.known.set(credential, known);
    }
    return known;
  }
}

function heed(known: Known, text: string | undefined): void {
  known.seen = text;
  const told = text === undefined ? undefined : parseBudget(text);
  if (told) known.budget = merged(known.budget, told);
}

const instant = z.number().nonnegative();
const sharedBudget = z.object({
  resources: z.record(z.string(), z.object({ limit: instant, remaining: instant, resetAt: instant })),
  pausedUntil: instant,
  strikes: instant,
});

/** What another replica has left, if it is that. */
function parseBudget(text: string): CredentialBudget | undefined {
  try {
    return sharedBudget.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined; // not ours: as if nothing were known
  }
}
