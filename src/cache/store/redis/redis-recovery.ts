import type { RedisLink } from '../../../redis/redis-link';
import { StoreUnavailableError, type InvalidationMode, type InvalidationTarget } from '../cache-store';
import { RewoundError, type PurgeLedger } from './purge-ledger';
import type { RedisInvalidation } from './redis-invalidation';
import type { RedisLeases } from './redis-leases';

export interface RecoveryListener {
  /** Redis has older data (a restart): all entries are removed. */
  readonly onRewound: (entries: number) => void;
  /** Redis has not confirmed an invalidation: nothing is read from it until it has. Called once, until all are flushed. */
  readonly onOverdue: () => void;
  /** The number of unconfirmed invalidations that were repeated. */
  readonly onSettled: (invalidations: number) => void;
  /** Everything is repeated: changes received before may be incomplete. */
  readonly onRecovered: () => void;
}

const RETRY_MS = 500;
/** How often the ledger is read while nothing else is: copies in memory must not outlive their data. */
const WATCH_MS = 200;
/** If more different invalidations are overdue, everything is. */
const MAX_OVERDUE = 10_000;
const EVERYTHING: InvalidationTarget = { kind: 'prefix', prefix: '' };

/**
 * The work after a gap in the connection, or after an unconfirmed invalidation, before Redis is used again.
 *
 * Its one invariant: nothing is read from a Redis that may have come back with older data, or that still holds entries whose invalidation
 * is overdue.
 */
export class RedisRecovery {
  /** Invalidations that Redis did not confirm, by name: their callers got an error, and may be gone. */
  private readonly overdue = new Map<string, readonly [InvalidationTarget, InvalidationMode]>();
  private isDone = false;
  private problem = 'not recovered yet';
  private underWay: Promise<boolean> | undefined;
  /** Runs while an invalidation is overdue. */
  private retry: NodeJS.Timeout | undefined;
  private readonly watch: NodeJS.Timeout;

  constructor(
    private readonly link: RedisLink,
    private readonly leases: RedisLeases,
    private readonly invalidation: RedisInvalidation,
    private readonly ledger: PurgeLedger,
    private readonly listener: RecoveryListener,
  ) {
    this.watch = setInterval(() => void this.lookAtLedger(), WATCH_MS).unref();
    link.onTransition((isUp) => {
      this.isDone = false;
      if (isUp) void this.whenRecovered();
    });
  }

  get isRecovered(): boolean {
    return this.isDone;
  }

  /** @throws StoreUnavailableError if Redis cannot be used now */
  async ready(): Promise<void> {
    if (this.isDone) return;
    if (!this.link.isUp) throw new StoreUnavailableError(this.link.problem ?? 'not connected');
    if (!(await this.whenRecovered())) throw new StoreUnavailableError(this.link.problem ?? this.problem);
  }

  /** An invalidation that Redis has not confirmed: repeated as soon as possible. */
  enqueue(target: InvalidationTarget, mode: InvalidationMode): void {
    if (this.overdue.size === 0) this.listener.onOverdue();
    if (this.overdue.size >= MAX_OVERDUE) {
      this.overdue.clear();
      this.overdue.set('', [EVERYTHING, 'purge']);
    }
    const name = JSON.stringify(target);
    // a purge is not replaced by a soft purge
    if (!this.overdue.has('') && this.overdue.get(name)?.[1] !== 'purge') this.overdue.set(name, [target, mode]);
    this.isDone = false;
    this.retry ??= setInterval(() => {
      if (this.link.isUp) void this.whenRecovered();
    }, RETRY_MS).unref();
  }

  /** The data in Redis have changed unexpectedly: everything is removed before anything is read. */
  rewind(): void {
    this.isDone = false;
    if (this.link.isUp) void this.whenRecovered();
  }

  close(): void {
    clearInterval(this.retry);
    clearInterval(this.watch);
  }

  private async lookAtLedger(): Promise<void> {
    if (!this.isDone || !this.link.isUp) return;
    try {
      await this.ledger.read();
    } catch (error) {
      if (error instanceof RewoundError) this.rewind();
      else if (!(error instanceof StoreUnavailableError)) throw error;
    }
  }

  private whenRecovered(): Promise<boolean> {
    this.underWay ??= this.recover()
      .then(() => {
        this.isDone = this.overdue.size === 0;
        if (this.isDone) this.listener.onRecovered();
        return this.isDone;
      })
      .catch((error: unknown) => {
        this.problem = error instanceof Error ? error.message : String(error); // waiting callers report it; the next one tries again
        return false;
      })
      .finally(() => {
        this.underWay = undefined;
      });
    return this.underWay;
  }

  private async recover(): Promise<void> {
    await this.leases.releaseOrphaned();
    const purged = await this.invalidation.purgeIfRewound();
    if (purged !== undefined) this.listener.onRewound(purged);
    let settled = 0;
    for (const [name, overdue] of this.overdue) {
      const [target, mode] = overdue;
      await this.invalidation.invalidate([target], mode); // the first failure ends it: the rest stays overdue
      if (this.overdue.get(name) === overdue) this.overdue.delete(name);
      settled += 1;
    }
    if (this.overdue.size > 0) return;
    clearInterval(this.retry);
    this.retry = undefined;
    if (settled > 0) this.listener.onSettled(settled);
  }
}
