import { currentTracer, type Span } from '../../kernel/tracer';
import type { Lease } from '../store/cache-store';

/** A load under way whose head several requests wait for; it is aborted when all of them have disconnected. */
export class Flight<Head> {
  /** The lease of the load, once it has begun. */
  lease: Lease | undefined;
  readonly head: Promise<Head>;
  private readonly abortion = new AbortController();
  private settle: { resolve: (head: Head) => void; reject: (error: unknown) => void } | undefined;
  private interested = 0;
  private kept = false;

  constructor(
    /** The key of its URL, by which it is detached. */
    readonly url: string,
    /** Grows from load to load: a request that accepts no earlier one does not join a lower one. */
    readonly number: number,
    /** The soft-purge mark of the URL's index when it began: a request that sees a higher one does not join. */
    readonly indexMark: number,
    /** Where traces are exported. */
    private readonly span?: Span,
  ) {
    this.head = new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
    });
    this.head.catch(() => undefined); // its waiters handle the error; there may be none
  }

  /** Whether it began as a background refresh. */
  get isKept(): boolean {
    return this.kept;
  }

  get signal(): AbortSignal {
    return this.abortion.signal;
  }

  /** Continues without waiters: a refresh behind an answer. */
  keep(): void {
    this.kept = true;
  }

  /** Counts the request as a waiter until its client disconnects. */
  join(client: AbortSignal | undefined): void {
    this.interested += 1;
    if (this.span) currentTracer()?.link(this.span);
    if (!client) return;
    const leave = (): void => {
      this.interested -= 1;
      if (this.interested === 0 && !this.kept) this.abortion.abort();
    };
    if (client.aborted) leave();
    else client.addEventListener('abort', leave, { once: true });
  }

  arrive(head: Head): void {
    this.settle?.resolve(head);
  }

  fail(error: unknown): void {
    this.settle?.reject(error);
  }
}
