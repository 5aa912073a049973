import type { CacheOutcome, CacheTier } from '../../src/cache/model/cache-outcome';
import type { History } from './history';
import type { Floors, PromiseBook } from './promise-book';

export interface Violation {
  readonly key: string;
  readonly replica: number;
  readonly what: string;
  readonly timeline: readonly string[];
}

/** What a request got. */
export interface Answer {
  readonly version: number;
  readonly entryId: string;
  readonly outcome: CacheOutcome;
  readonly tier: CacheTier;
}

/** A request under way and what it was promised when it began. */
export interface Asked {
  readonly id: number;
  readonly key: string;
  readonly replica: number;
  readonly startedMs: number;
  readonly isExempt: boolean;
  readonly floors: Floors;
}

const STORY_BEFORE_MS = 700;
const MAX_VIOLATIONS = 10;

/** Judges each answer by what had been promised when its request began. */
export class Referee {
  readonly violations: Violation[] = [];
  checked = 0;
  /** Of those, the ones for which something had been promised. */
  bound = 0;
  exempt = 0;
  private requests = 0;

  constructor(
    private readonly book: PromiseBook,
    private readonly history: History,
  ) {}

  ask(key: string, replica: number, isExempt: boolean): Asked {
    const id = ++this.requests;
    const asked = { id, key, replica, isExempt, startedMs: this.history.now() };
    const floors = this.book.floorsNow(key, replica);
    const unjudged = isExempt ? ', not judged' : '';
    this.history.add(key, `request ${id} begins on ${replica}, floor v${floors.any}${unjudged}`);
    return { ...asked, floors };
  }

  judge(asked: Asked, { version, entryId, outcome, tier }: Answer): void {
    const { id, key, floors, isExempt } = asked;
    this.history.add(key, `request ${id} is answered v${version}, ${outcome}/${tier}, entry ${entryId}`);
    if (isExempt) {
      this.exempt += 1;
      return;
    }
    this.checked += 1;
    if (floors.any > 0) this.bound += 1;
    const fromRedis = tier === 'l2' ? floors.fromRedis : floors.any;
    const floor = outcome === 'STALE_ON_ERROR' ? floors.onError : fromRedis;
    if (version < floor) this.report(asked, `request ${id} got v${version}, after v${floor} was promised`);
  }

  report({ key, replica, startedMs }: Pick<Asked, 'key' | 'replica' | 'startedMs'>, what: string): void {
    this.history.add(key, `VIOLATION: ${what}`);
    if (this.violations.length >= MAX_VIOLATIONS) return;
    const timeline = this.history.timeline(key, startedMs - STORY_BEFORE_MS);
    this.violations.push({ key, replica, what, timeline });
  }
}
