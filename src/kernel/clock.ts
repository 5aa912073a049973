import { performance } from 'node:perf_hooks';

/** Time as a dependency: every rule about age or expiry asks a `Clock`, so that a test can turn it by hand. */
export abstract class Clock {
  /** The instant now, in milliseconds since the Unix epoch. Never goes backwards. */
  abstract now(): number;
}

/**
 * The machine's clock, read once at start and carried on by the monotonic timer: a wall clock that is set back or forth by
 * an hour while the process runs makes no entry older or younger.
 */
export class SystemClock extends Clock {
  private readonly origin = performance.timeOrigin;

  now(): number {
    return this.origin + performance.now();
  }
}

/** A clock that moves only by calls. */
export class ManualClock extends Clock {
  constructor(private instant = 1_700_000_000_000) {
    super();
  }

  now(): number {
    return this.instant;
  }

  advance(ms: number): void {
    this.instant += ms;
  }
}
