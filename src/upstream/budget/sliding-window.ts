import { LRUCache } from 'lru-cache';
import { atMost } from '../../kernel/at-most';

interface Passed {
  readonly at: number;
  readonly points: number;
}

const MINUTE_MS = 60_000;
const MAX_CREDENTIALS = 10_000;

/**
 * How many points the credentials have spent within the last minute, as far as this process has seen.
 *
 * Its one invariant: no more pass than may in a minute, wherever that begins. A bucket that fills while it is emptied would let
 * nearly twice as many through in its first.
 */
export class SlidingWindow {
  private readonly passed = new LRUCache<string, Passed[]>(atMost(MAX_CREDENTIALS));

  constructor(private readonly pointsPerMinute: number) {}

  /** How long until so many points may be spent, in milliseconds; 0 for now. What costs more than a whole minute has waits for all of it. */
  waitMs(credential: string, points: number, now: number): number {
    const lately = this.lately(credential, now);
    let missing = Math.min(points, this.pointsPerMinute) - (this.pointsPerMinute - sumOf(lately));
    let until = now;
    for (const one of lately) {
      if (missing <= 0) break;
      missing -= one.points;
      until = one.at + MINUTE_MS;
    }
    return until - now;
  }

  /** What may still be spent now, as a share of a minute's. */
  shareLeft(credential: string, now: number): number {
    return Math.max(0, 1 - sumOf(this.lately(credential, now)) / this.pointsPerMinute);
  }

  pass(credential: string, points: number, now: number): void {
    const lately = this.lately(credential, now);
    lately.push({ at: now, points });
    this.passed.set(credential, lately);
  }

  private lately(credential: string, now: number): Passed[] {
    const passed = this.passed.get(credential) ?? [];
    while (passed[0] !== undefined && passed[0].at <= now - MINUTE_MS) passed.shift();
    return passed;
  }
}

function sumOf(passed: readonly Passed[]): number {
  return passed.reduce((sum, { points }) => sum + points, 0);
}
