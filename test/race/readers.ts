import { setTimeout as pause } from 'node:timers/promises';
import type { CacheAnswer } from '../../src/cache/core/cache-request';
import { AppError } from '../../src/kernel/app-error';
import { RACE_KEYS, type RaceKey } from './catalog';
import type { History } from './history';
import type { RedisFaults } from './redis-faults';
import type { Referee } from './referee';
import type { Replica } from './replica';
import type { VersionedUpstream } from './versioned-upstream';

export interface Reading {
  readonly key: RaceKey;
  readonly replica: number;
  readonly ttlMs: number;
  readonly swrMs: number;
}

const MOST_OPEN = 200;
const SIE_MS = 60_000;

/** Asks the replicas as the interceptor does, many at a time, and hands each answer to the referee. */
export class Readers {
  private readonly open = new Set<Promise<unknown>>();
  failed = 0;

  constructor(
    private readonly replicas: readonly Replica[],
    private readonly upstream: VersionedUpstream,
    private readonly faults: RedisFaults,
    private readonly referee: Referee,
    private readonly history: History,
  ) {}

  /** Begins `count` reads and does not wait for them, unless too many are under way. */
  async read({ count, ...reading }: Reading & { readonly count: number }): Promise<void> {
    while (this.open.size >= MOST_OPEN) await pause(2);
    for (let i = 0; i < count; i++) this.begin(reading);
  }

  /** Each key on each replica, once. */
  readAll(): void {
    for (const key of RACE_KEYS) {
      for (const { number } of this.replicas) this.begin({ key, replica: number, ttlMs: 300, swrMs: 0 });
    }
  }

  async settled(): Promise<void> {
    while (this.open.size > 0) await Promise.all(this.open);
  }

  /** One read and its verdict; undefined when there was no answer but an error. */
  async readOne(reading: Reading): Promise<CacheAnswer | undefined> {
    const { key, replica } = reading;
    const asked = this.referee.ask(key.key, replica, this.faults.isBroken);
    try {
      const answer = await this.answer(reading);
      this.referee.judge(asked, answer);
      return answer;
    } catch (error) {
      this.failed += 1;
      this.history.add(key.key, `request ${asked.id} fails: ${String(error)}`);
      if (!(error instanceof AppError)) this.referee.report(asked, `request ${asked.id} failed: ${String(error)}`);
      return undefined;
    }
  }

  private begin(reading: Reading): void {
    const read = this.readOne(reading).finally(() => this.open.delete(read));
    this.open.add(read);
  }

  private async answer({ key, replica, ttlMs, swrMs }: Reading): Promise<CacheAnswer> {
    const cache = this.replicas[replica]!.cache;
    const policy = { ttlMs, swrMs, negativeTtlMs: ttlMs, sieMs: SIE_MS, jitter: 0, earlyRefreshBeta: 1 };
    const request = { key: key.key, upstream: 'race', tags: [key.requestTag], policy };
    const atOnce = cache.peek(key.key, policy.earlyRefreshBeta);
    return atOnce ?? cache.answer(request, (context) => this.upstream.load(key, replica, context));
  }
}
