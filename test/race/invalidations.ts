import type { InvalidationMode, InvalidationTarget } from '../../src/cache/store/cache-store';
import { RedisKeys } from '../../src/cache/store/redis/redis-keys';
import { AppError } from '../../src/kernel/app-error';
import type { RedisProcess } from '../support/redis-process';
import { keysUnder, nameOf, type RaceKey } from './catalog';
import type { History } from './history';
import type { Action } from './plan';
import type { PromiseBook } from './promise-book';
import { RACE_PREFIX, type Replica } from './replica';
import type { VersionedUpstream } from './versioned-upstream';

/** Changes the truth and says so, to a replica or behind its back; what is answered becomes a promise. */
export class Invalidations {
  private readonly open = new Set<Promise<void>>();
  private readonly keys = new RedisKeys(RACE_PREFIX);
  answered = 0;
  /** Redis was away: nothing is promised. */
  refused = 0;

  constructor(
    private readonly replicas: readonly Replica[],
    private readonly redis: RedisProcess,
    private readonly upstream: VersionedUpstream,
    private readonly book: PromiseBook,
    private readonly history: History,
  ) {}

  /** Begins the step and does not wait for it. */
  take(step: Exclude<Action, { kind: 'read' | 'fault' }>): void {
    const change = this.change(step).then(() => void this.open.delete(change));
    this.open.add(change);
    change.catch(() => undefined); // a failed one stays open: `settled` rejects with it
  }

  async settled(): Promise<void> {
    while (this.open.size > 0) await Promise.all(this.open);
  }

  /** Bumps what the target covers, then invalidates it. */
  async invalidate(target: InvalidationTarget, mode: InvalidationMode, replica: number): Promise<void> {
    const covered = keysUnder(target);
    const versions = covered.map(({ key }) => this.upstream.bump(key));
    const name = `${mode} of ${nameOf(target)} on ${replica}`;
    covered.forEach(({ key }, i) => this.history.add(key, `becomes v${versions[i]}; ${name} begins`));
    const outcome = await this.replicas[replica]!.cache.invalidate(target, mode).then(() => 'is answered', refusal);
    if (outcome === 'is answered') {
      this.answered += 1;
      this.book.record(covered, versions, mode, replica);
    } else {
      this.refused += 1;
    }
    covered.forEach(({ key }, i) => this.history.add(key, `${name} ${outcome} (v${versions[i]})`));
  }

  private async change(step: Exclude<Action, { kind: 'read' | 'fault' }>): Promise<void> {
    switch (step.kind) {
      case 'bump':
        this.history.add(step.key.key, `becomes v${this.upstream.bump(step.key.key)}; nobody is told`);
        return;
      case 'invalidate':
        return this.invalidate(step.target, step.mode, step.replica);
      case 'delete-entry':
        return this.deleteEntry(step.key);
      case 'lose-lease':
        return this.onRedis(async () => {
          await this.redis.command('DEL', this.keys.lease(step.key.key));
          this.history.add(step.key.key, 'the lease is lost');
        });
      case 'lose-bookkeeping':
        return this.onRedis(async () => {
          const { requestTag, responseTag } = step.key;
          const indexes = [requestTag, responseTag].map((tag) => this.keys.tagIndex(tag));
          await this.redis.command('DEL', ...(step.what === 'ledger' ? [this.keys.ledger] : indexes));
          this.history.add(step.key.key, `the ${step.what} is lost`);
        });
      case 'crowd':
        return this.replicas[step.replica]!.crowd(step.draw);
      case 'save':
        return this.onRedis(async () => {
          await this.redis.save();
          this.history.add(undefined, 'Redis has saved its data');
        });
    }
  }

  /**
   * A DEL that found an entry also refuses the load that would replace it. One that found none is not seen by a load under
   * way: it promises nothing.
   */
  private deleteEntry(key: RaceKey): Promise<void> {
    return this.onRedis(async () => {
      const version = this.upstream.bump(key.key);
      this.history.add(key.key, `becomes v${version}; DEL of the entry begins`);
      const hasFound = (await this.redis.command('DEL', this.keys.entry(key.key))) === '1';
      if (hasFound) this.book.recordDeleted(key, version);
      this.history.add(key.key, `DEL of the entry is done, ${hasFound ? 'one' : 'none'} was there (v${version})`);
    });
  }

  /** A command to Redis itself; while Redis is away it does nothing. */
  private async onRedis(command: () => Promise<void>): Promise<void> {
    try {
      await command();
    } catch (error) {
      this.history.add(undefined, `a command to Redis failed: ${String(error)}`);
    }
  }
}

function refusal(error: unknown): string {
  if (error instanceof AppError && error.code === 'cache-unavailable') return 'is refused';
  throw error;
}
