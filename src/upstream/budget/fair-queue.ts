import type { Readable } from 'node:stream';
import { AppError } from '../../kernel/app-error';
import { startDeadline } from '../../kernel/deadline';

export interface FairQueueOptions {
  /** How many calls may run at once, of all together. */
  readonly maxConcurrency: number;
  /** How many may wait; further ones are refused at once. */
  readonly maxWaiting: number;
  /** How long one may wait, in milliseconds. */
  readonly deadlineMs: number;
}

/** A call's request to the queue. */
export interface Job {
  /** The caller: tenants take turns, however many calls each has. */
  readonly tenant: string;
  /** How many calls of the tenant may run at once now; asked whenever one could begin. */
  readonly limitOf: () => number;
  /** A pace that the call must respect as well; absent for none. */
  readonly pace?: Pacing | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Lets through so much in a time. */
export interface Pacing {
  /** How long until it lets the call through, in milliseconds; 0 for now. */
  readonly waitMs: () => number;
  /** It has let the call through. */
  readonly pass: () => void;
}

/** The right to run. */
export interface Permit {
  /** Gives it to the next one, once. */
  readonly release: () => void;
}

interface Waiting {
  readonly job: Job;
  readonly start: () => void;
}

interface Line {
  active: number;
  readonly waiting: Set<Waiting>;
}

/** Bounds how many calls run at once. One line for each tenant; the lines take turns, so that a long one does not hold up the others. */
export class FairQueue {
  private readonly lines = new Map<string, Line>();
  private active = 0;
  private waiting = 0;
  /** Checks again when the pace admits another call. */
  private wake: { readonly at: number; readonly timer: NodeJS.Timeout } | undefined;

  constructor(private readonly options: FairQueueOptions) {}

  get size(): { readonly active: number; readonly waiting: number } {
    return { active: this.active, waiting: this.waiting };
  }

  /** Runs the call when it is its turn, as `enter` says. */
  async run<T>(job: Job, call: () => Promise<T>): Promise<T> {
    const permit = await this.enter(job);
    try {
      return await call();
    } finally {
      permit.release();
    }
  }

  /**
   * Resolves at the call's turn, with a permit that must be released.
   *
   * @throws AppError `deadline-exceeded` if the turn does not come in time; the signal's reason if it aborts first
   */
  async enter(job: Job): Promise<Permit> {
    const line = this.lineOf(job.tenant);
    if (line.waiting.size === 0 && this.mayStart(job, line)) this.take(job, line);
    else await this.turn(job, line);
    let isReleased = false;
    const release = (): void => {
      if (isReleased) return;
      isReleased = true;
      this.active -= 1;
      line.active -= 1;
      this.startWaiting();
      this.forget(job.tenant, line);
    };
    return { release };
  }

  private lineOf(name: string): Line {
    let line = this.lines.get(name);
    if (!line) {
      line = { active: 0, waiting: new Set() };
      this.lines.set(name, line);
    }
    return line;
  }

  private mayStart({ limitOf, pace }: Job, line: Line): boolean {
    if (this.active >= this.options.maxConcurrency || line.active >= Math.max(1, limitOf())) return false;
    const waitMs = pace?.waitMs() ?? 0;
    if (waitMs > 0) this.lookAgainIn(waitMs);
    return waitMs <= 0;
  }

  private take({ pace }: Job, line: Line): void {
    this.active += 1;
    line.active += 1;
    pace?.pass();
  }

  /** Resolves at the turn, which is then taken. */
  private turn(job: Job, line: Line): Promise<void> {
    const { maxConcurrency, maxWaiting, deadlineMs } = this.options;
    const { tenant: name, signal } = job;
    const tooMany = (what: string): AppError =>
      new AppError('deadline-exceeded', `${what}, with ${maxConcurrency} requests to the upstream at most.`, {
        retryAfterMs: 1_000,
      });
    if (this.waiting >= maxWaiting) {
      this.forget(name, line);
      return Promise.reject(tooMany(`${maxWaiting} requests wait already`));
    }
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        cancelDeadline();
        signal?.removeEventListener('abort', abort);
        line.waiting.delete(waiting);
        this.waiting -= 1;
        this.forget(name, line);
      };
      const start = (): void => {
        this.take(job, line);
        leave();
        resolve();
      };
      const abort = (): void => {
        leave();
        reject(signal?.reason instanceof Error ? signal.reason : new Error('no request waits any more'));
      };
      const cancelDeadline = startDeadline(deadlineMs, () => {
        leave();
        reject(tooMany(`It was not this request's turn within ${deadlineMs / 1_000} s`));
      });
      const waiting: Waiting = { job, start };
      signal?.addEventListener('abort', abort, { once: true });
      line.waiting.add(waiting);
      this.waiting += 1;
      if (signal?.aborted === true) abort();
    });
  }

  private startWaiting(): void {
    for (let started = true; started && this.waiting > 0;) {
      started = false;
      for (const [name, line] of [...this.lines]) {
        const [first] = line.waiting;
        if (!first || !this.mayStart(first.job, line)) continue;
        this.lines.delete(name); // to the end: the others come first now
        this.lines.set(name, line);
        first.start();
        started = true;
      }
    }
  }

  private lookAgainIn(waitMs: number): void {
    const at = performance.now() + waitMs;
    if (this.wake && this.wake.at <= at) return;
    clearTimeout(this.wake?.timer);
    const look = (): void => {
      this.wake = undefined;
      this.startWaiting();
    };
    this.wake = { at, timer: setTimeout(look, Math.ceil(waitMs)).unref() };
  }

  private forget(name: string, line: Line): void {
    if (line.active > 0 || line.waiting.size > 0 || this.lines.get(name) !== line) return;
    this.lines.delete(name);
  }
}

/** A permit is held while a part of the answer is still to come, for `maxMs` at most. */
export function releaseAtEnd(permit: Permit, rest: Readable | undefined, maxMs: number): void {
  if (rest === undefined || rest.readableEnded || rest.destroyed) {
    permit.release();
    return;
  }
  const release = (): void => {
    clearTimeout(late);
    rest.off('end', release).off('close', release);
    permit.release();
  };
  const late = setTimeout(release, maxMs).unref();
  rest.once('end', release).once('close', release);
}
