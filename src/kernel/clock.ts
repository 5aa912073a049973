import { uptime } from 'node:os';
import { performance } from 'node:perf_hooks';

/** Time as a dependency: every rule about age or expiry asks a `Clock`, so that a test can turn it by hand. */
export abstract class Clock {
  /** The instant now, in milliseconds since the Unix epoch. Never goes backwards. */
  abstract now(): number;
}

/** How often a suspension is looked for, in milliseconds. */
const CHECK_MS = 1_000;
/** The uptime has hundredths of a second, and is read a moment later than the timer. */
const TOLERANCE_MS = 500;

/** The machine's timers, in milliseconds. */
export interface Timers {
  /** Stands still while the machine is suspended. */
  readonly monotonicMs: () => number;
  /** Counts the time of a suspension as well (`CLOCK_BOOTTIME`). */
  readonly uptimeMs: () => number;
}

const MACHINE: Timers = { monotonicMs: () => performance.now(), uptimeMs: () => uptime() * 1_000 };

/**
 * The machine's clock, read once at start and carried on by the monotonic timer: a wall clock that is set back or forth by an hour while
 * the process runs makes no entry older or younger. A suspension of the machine is added within a second of its end.
 */
export class SystemClock extends Clock {
  private readonly origin = performance.timeOrigin;
  private readonly aheadAtStart: number;
  private suspendedMs = 0;

  constructor(private readonly timers: Timers = MACHINE) {
    super();
    this.aheadAtStart = this.ahead();
    setInterval(() => this.addSuspension(), CHECK_MS).unref();
  }

  now(): number {
    return this.origin + this.timers.monotonicMs() + this.suspendedMs;
  }

  /** Called regularly. */
  addSuspension(): void {
    const suspendedMs = this.ahead() - this.aheadAtStart;
    if (suspendedMs > this.suspendedMs + TOLERANCE_MS) this.suspendedMs = suspendedMs;
  }

  private ahead(): number {
    return this.timers.uptimeMs() - this.timers.monotonicMs();
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
