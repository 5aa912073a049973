import { AppError } from '../../kernel/app-error';

export interface FairQueueOptions {
  /** How many calls may run at once, of all together. */
  readonly maxConcurrency: number;
  /** How many may wait; further ones are refused at once. */
  readonly maxWaiting: number;
  /** How long one may wait, in milliseconds. */
  readonly deadlineMs: number;
}

interface Line {
  active: number;
  readonly waiting: Set<() => void>;
}

/** What a call asks the queue by. */
export interface Ticket {
  /** Whose call it is: lines take turns, however long each is. */
  readonly line: string;
  /** How many calls of the line may run at once now; asked whenever one could begin. */
  readonly limitOf: () => number;
  readonly signal?: AbortSignal;
}

/** Bounds how many calls run at once. One line for each name; the lines take turns, so that a long one does not hold up the others. */
export class FairQueue {
  private readonly lines = new Map<string, Line>();
  private readonly limits = new Map<string, () => number>();
  private active = 0;
  private waiting = 0;

  constructor(private readonly options: FairQueueOptions) {}

  get size(): { readonly active: number; readonly waiting: number } {
    return { active: this.active, waiting: this.waiting };
  }

  /**
   * Runs the call when it is its turn.
   *
   * @throws AppError `deadline-exceeded` if that does not come in time; what the signal says if it ends first
   */
  async run<T>(ticket: Ticket, call: () => Promise<T>): Promise<T> {
    const line = this.lineOf(ticket.line);
    this.limits.set(ticket.line, ticket.limitOf);
    if (this.mayStart(ticket.line, line)) this.take(line);
    else await this.turn(ticket, line);
    try {
      return await call();
    } finally {
      this.active -= 1;
      line.active -= 1;
      this.startWaiting();
      this.forget(ticket.line, line);
    }
  }

  private lineOf(name: string): Line {
    let line = this.lines.get(name);
    if (!line) {
      line = { active: 0, waiting: new Set() };
      this.lines.set(name, line);
    }
    return line;
  }

  private mayStart(name: string, line: Line): boolean {
    return this.active < this.options.maxConcurrency && line.active < Math.max(1, this.limits.get(name)?.() ?? 1);
  }

  private take(line: Line): void {
    this.active += 1;
    line.active += 1;
  }

  /** Resolves with the place taken. */
  private turn({ line: name, signal }: Ticket, line: Line): Promise<void> {
    const { maxConcurrency, maxWaiting, deadlineMs } = this.options;
    const tooMany = (what: string): AppError =>
      new AppError('deadline-exceeded', `${what}, with ${maxConcurrency} requests to the upstream under way.`, {
        retryAfterMs: 1_000,
      });
    if (this.waiting >= maxWaiting) {
      this.forget(name, line);
      return Promise.reject(tooMany(`${maxWaiting} requests wait already`));
    }
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        line.waiting.delete(start);
        this.waiting -= 1;
        this.forget(name, line);
      };
      const start = (): void => {
        this.take(line);
        leave();
        resolve();
      };
      const abort = (): void => {
        leave();
        reject(signal?.reason instanceof Error ? signal.reason : new Error('nobody waits any more'));
      };
      const timer = setTimeout(() => {
        leave();
        reject(tooMany(`It was not this request's turn within ${deadlineMs / 1_000} s`));
      }, deadlineMs);
      signal?.addEventListener('abort', abort, { once: true });
      line.waiting.add(start);
      this.waiting += 1;
      if (signal?.aborted === true) abort();
    });
  }

  private startWaiting(): void {
    for (let started = true; started && this.waiting > 0;) {
      started = false;
      for (const [name, line] of [...this.lines]) {
        const [first] = line.waiting;
        if (!first || !this.mayStart(name, line)) continue;
        this.lines.delete(name); // to the end: the others come first now
        this.lines.set(name, line);
        first();
        started = true;
      }
    }
  }

  private forget(name: string, line: Line): void {
    if (line.active > 0 || line.waiting.size > 0 || this.lines.get(name) !== line) return;
    this.lines.delete(name);
    this.limits.delete(name);
  }
}
