import type { CacheRequest } from '../../src/cache/core/cache-request';
import type { InvalidationTarget } from '../../src/cache/core/cache-store';
import type { Load } from '../../src/cache/core/load';
import { AppError } from '../../src/kernel/app-error';
import { RedisProcess } from '../support/redis-process';
import { waitUntil } from '../support/wait-until';
import { History, type Violation } from './history';
import { SeededRandom } from './random';
import { openReplica, type Replica } from './replica';

export interface RaceOptions {
  readonly seed: number;
  readonly steps: number;
  readonly replicas?: number;
  /** Plants a bug, to see that the race finds it. */
  readonly brokenLease?: boolean;
}

export interface RaceReport {
  readonly seed: number;
  readonly steps: number;
  readonly checked: number;
  readonly loads: number;
  readonly invalidations: number;
  readonly faults: number;
  readonly violations: readonly Violation[];
}

const KEYS = ['a:1', 'a:2', 'a:3', 'b:1', 'b:2'] as const;
const MOST_READS = 150;
/** After a fault: what is promised again once every replica is back and has heard. */
const SETTLE_MS = 1_200;

/**
 * Fills, invalidations and failures of Redis at random, on several replicas at once; every answer is checked against the
 * promise: an invalidation that was confirmed is never followed by what was stored or loaded before it.
 */
export async function runRace(options: RaceOptions): Promise<RaceReport> {
  const redis = await RedisProcess.start();
  const race = new Race(options, redis);
  try {
    return await race.run();
  } finally {
    await race.close();
    await redis.stop();
  }
}

class Race {
  private readonly random: SeededRandom;
  private readonly history = new History();
  private readonly versions = new Map<string, number>(KEYS.map((key) => [key, 1]));
  private readonly replicas: Replica[];
  private readonly open = new Set<Promise<void>>();
  private loads = 0;
  private invalidations = 0;
  private faults = 0;
  private fault: Promise<void> | undefined;

  constructor(
    private readonly options: RaceOptions,
    private readonly redis: RedisProcess,
  ) {
    this.random = new SeededRandom(options.seed);
    const count = options.replicas ?? 3;
    this.replicas = Array.from({ length: count }, () => openReplica(redis.uri, options.brokenLease === true));
  }

  async run(): Promise<RaceReport> {
    await this.untilAllUp();
    const { seed, steps, brokenLease } = this.options;
    for (let step = 0; step < steps; step++) {
      await this.step();
      if (brokenLease && this.history.violations.length > 0) break;
    }
    await this.fault;
    await Promise.all(this.open);
    await this.readAllOnce();
    const { checked, violations } = this.history;
    return {
      seed,
      steps,
      checked,
      loads: this.loads,
      invalidations: this.invalidations,
      faults: this.faults,
      violations,
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.replicas.map((replica) => replica.close()));
  }

  private async step(): Promise<void> {
    const dice = this.random.next();
    if (dice < 0.75) this.track(this.read(this.random.pick(KEYS), this.random.below(this.replicas.length)));
    else if (dice < 0.9) this.track(this.invalidate());
    else if (dice < 0.93)
      await this.redis.command('DEL', `race:v1:e:{${this.random.pick(KEYS)}}`).catch(() => undefined);
    else if (dice < 0.935) this.breakRedis();
    else await pause(this.random.next() * 12);
    while (this.open.size >= MOST_READS) await Promise.race(this.open);
  }

  private track(work: Promise<void>): void {
    const tracked = work.finally(() => this.open.delete(tracked));
    this.open.add(tracked);
  }

  private async read(key: string, replica: number): Promise<void> {
    const floor = this.fault ? 0 : this.history.floor(key, replica, performance.now());
    this.history.note(key, `replica ${replica} is asked; at least ${floor}`);
    try {
      const answer = await this.replicas[replica]!.cache.answer(this.request(key), this.load(key, replica));
      const version = Number(answer.entry.body.toString());
      this.history.note(
        key,
        `replica ${replica} answers ${version} (${answer.outcome}/${answer.tier}, stored ${String(answer.stored)})`,
      );
      // A soft purge keeps the old value for the case that the upstream fails.
      if (answer.outcome !== 'STALE_ON_ERROR') this.history.check(key, replica, floor, version, answer.outcome);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
    }
  }

  private async invalidate(): Promise<void> {
    const replica = this.random.below(this.replicas.length);
    const key = this.random.pick(KEYS);
    const target = this.random.pick<InvalidationTarget>([
      { kind: 'key', key },
      { kind: 'tag', tag: requestTag(key) },
      { kind: 'tag', tag: responseTag(key) },
      { kind: 'prefix', prefix: key.slice(0, 2) },
    ]);
    const mode = this.random.next() < 0.7 ? 'purge' : 'stale';
    const covered = KEYS.filter((one) => isCovered(target, one));
    const changed = covered.map((one) => [one, (this.versions.get(one) ?? 0) + 1] as const);
    for (const [one, version] of changed) {
      this.versions.set(one, version);
      this.history.note(
        one,
        `the data changes to ${version}; replica ${replica} invalidates by ${target.kind} (${mode})`,
      );
    }
    try {
      await this.replicas[replica]!.cache.invalidate(target, mode);
      this.invalidations += 1;
      for (const [one, version] of changed) {
        this.history.promise(one, version, replica);
        this.history.note(one, `replica ${replica} confirms ${version}`);
      }
    } catch (error) {
      if (!(error instanceof AppError)) throw error; // Redis is away: nothing is promised
    }
  }

  private request(key: string): CacheRequest {
    const policy = {
      ttlMs: 20 + this.random.below(400),
      negativeTtlMs: 100,
      swrMs: this.random.next() < 0.3 ? 100 : 0,
      sieMs: 60_000,
      jitter: 0,
      earlyRefreshBeta: this.random.next() < 0.2 ? 1 : 0,
    };
    return { key, upstream: 'race', tags: [requestTag(key)], policy };
  }

  private load(key: string, replica: number): Load {
    const slow = this.random.next() < 0.02;
    const takesMs = slow ? 350 + this.random.below(300) : this.random.below(40);
    const fails = this.random.next() < 0.05;
    return async ({ validators }) => {
      this.loads += 1;
      const version = this.versions.get(key) ?? 0;
      this.history.note(key, `replica ${replica} loads ${version}, which takes ${takesMs} ms`);
      await pause(takesMs);
      if (fails) throw new AppError('upstream-error', 'planned');
      const etag = `"${version}"`;
      if (validators?.etag === etag) return { kind: 'not-modified', headers: [] };
      const body = Buffer.from(String(version));
      return { kind: 'response', status: 200, headers: [], body, validators: { etag }, tags: [responseTag(key)], etag };
    };
  }

  /** One fault at a time; while it lasts, and until all have heard of its end, nothing is checked. */
  private breakRedis(): void {
    if (this.fault) return;
    this.faults += 1;
    const kind = this.random.pick(['kill', 'restart-old', 'clients', 'freeze'] as const);
    for (const key of KEYS) this.history.note(key, `Redis: ${kind}`);
    this.fault = this.causeFault(kind)
      .then(() => this.untilAllUp())
      .then(() => pause(SETTLE_MS))
      .finally(() => {
        this.fault = undefined;
        for (const key of KEYS) this.history.note(key, 'all replicas are back');
      });
  }

  private async causeFault(kind: 'kill' | 'restart-old' | 'clients' | 'freeze'): Promise<void> {
    switch (kind) {
      case 'kill':
        return this.redis.restart();
      case 'restart-old':
        await this.redis.save();
        await pause(150); // what is invalidated now is not in the file
        return this.redis.restart({ keepData: true });
      case 'clients':
        await this.redis.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
        return;
      case 'freeze':
        await this.redis.freeze();
        await pause(600);
        return this.redis.thaw();
    }
  }

  private async readAllOnce(): Promise<void> {
    await pause(200);
    for (const key of KEYS) for (const at of this.replicas.keys()) await this.read(key, at);
  }

  private untilAllUp(): Promise<void> {
    return waitUntil(() => this.replicas.every((replica) => replica.isUp()), {
      what: 'all replicas',
      timeoutMs: 15_000,
    });
  }
}

function requestTag(key: string): string {
  return `group:${key.slice(0, 1)}`;
}

function responseTag(key: string): string {
  return `number:${key.slice(2)}`;
}

function isCovered(target: InvalidationTarget, key: string): boolean {
  if (target.kind === 'key') return target.key === key;
  if (target.kind === 'tag') return target.tag === requestTag(key) || target.tag === responseTag(key);
  return key.startsWith(target.prefix);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
