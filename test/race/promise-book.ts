import type { InvalidationMode } from '../../src/cache/store/cache-store';
import type { RaceKey } from './catalog';

/** An invalidation that was answered: from then on nothing below `versions` is right. */
interface Promised {
  readonly version: number;
  readonly mode: InvalidationMode;
  readonly replica: number;
  readonly resolvedAt: number;
  readonly resolvedAtTick: number;
  /** A bare DEL: Redis counts none, so that data of before may bring the entry back. */
  readonly isBare: boolean;
}

/** The lowest version that a request may be answered with, by how it is answered. */
export interface Floors {
  /** Any answer but those below. */
  readonly any: number;
  /** An answer read from Redis, where the promise holds sooner: nothing was copied. */
  readonly fromRedis: number;
  /** A stale answer for want of a better one; a soft purge allows it. */
  readonly onError: number;
}

const NOBODY = -1;
const TICK_MS = 5;
/** The promise to other replicas is 50 ms; ten more for timers. */
const ELSEWHERE_MS = 60;
const ELSEWHERE_TICKS = 8;
/** A read sent before and answered after: the way through the network. */
const REDIS_MS = 15;
const REDIS_TICKS = 3;

/**
 * What has been promised so far. Time counts only while this process runs: a grace is over after its milliseconds and after
 * some turns of the event loop, so that a busy machine makes no violation.
 */
export class PromiseBook {
  private readonly promised = new Map<string, Promised[]>();
  private ticks = 0;
  private readonly ticker = setInterval(() => (this.ticks += 1), TICK_MS);

  close(): void {
    clearInterval(this.ticker);
  }

  /** The invalidation has resolved; `versions` are those at the time when it was asked for. */
  record(keys: readonly RaceKey[], versions: readonly number[], mode: InvalidationMode, replica: number): void {
    keys.forEach((key, i) => this.add(key, { version: versions[i] ?? 0, mode, replica, isBare: false }));
  }

  /** A bare DEL has removed an entry that was there: no replica knows better than the others. */
  recordDeleted(key: RaceKey, version: number): void {
    this.add(key, { version, mode: 'purge', replica: NOBODY, isBare: true });
  }

  /** Redis came back with data from before. */
  forgetDeleted(): void {
    for (const [key, list] of this.promised) {
      this.promised.set(
        key,
        list.filter(({ isBare }) => !isBare),
      );
    }
  }

  /** For a request that starts now. */
  floorsNow(key: string, replica: number): Floors {
    let [any, fromRedis, onError] = [0, 0, 0];
    for (const promise of this.promised.get(key) ?? []) {
      const isHere = promise.replica === replica;
      if (isHere || this.isPast(promise.resolvedAt, promise.resolvedAtTick, REDIS_MS, REDIS_TICKS))
        fromRedis = Math.max(fromRedis, promise.version);
      if (!isHere && !this.isPast(promise.resolvedAt, promise.resolvedAtTick, ELSEWHERE_MS, ELSEWHERE_TICKS)) continue;
      any = Math.max(any, promise.version);
      if (promise.mode === 'purge') onError = Math.max(onError, promise.version);
    }
    return { any, fromRedis, onError };
  }

  private add({ key }: RaceKey, promise: Omit<Promised, 'resolvedAt' | 'resolvedAtTick'>): void {
    const list = this.promised.get(key) ?? [];
    list.push({ ...promise, resolvedAt: performance.now(), resolvedAtTick: this.ticks });
    this.promised.set(key, list);
  }

  private isPast(at: number, tick: number, ms: number, ticks: number): boolean {
    return performance.now() - at >= ms && this.ticks - tick >= ticks;
  }
}
