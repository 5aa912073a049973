/** A way in which the API misbehaves. */
export type Fault =
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  /** The socket is reset, before the answer or after so many bytes of its body. */
  | { readonly kind: 'reset'; readonly afterBytes?: number }
  /** Half of the body, then the connection ends, though `content-length` promised all of it. */
  | { readonly kind: 'truncated' }
  | { readonly kind: 'slow-body'; readonly bytesPerSecond: number }
  /** Never answers. */
  | { readonly kind: 'hang' }
  | { readonly kind: 'endless-body' }
  | { readonly kind: 'huge-body'; readonly bytes: number }
  | { readonly kind: 'gzip-bomb'; readonly bytes: number }
  | { readonly kind: 'huge-headers'; readonly count: number; readonly bytes: number }
  | { readonly kind: 'early-hints' }
  | {
      readonly kind: 'rate-limited';
      readonly status: 403 | 429;
      readonly retryAfter?: string;
      readonly resetInSeconds?: number;
    }
  | { readonly kind: 'latency'; readonly ms: number };

interface Planned {
  readonly fault: Fault;
  readonly where: RegExp | undefined;
  left: number;
}

/** Which requests go wrong, and how. */
export class FaultPlan {
  private planned: Planned[] = [];

  /** The next `count` requests, of those whose URL matches. */
  next(count: number, fault: Fault, where?: RegExp): void {
    this.planned.push({ fault, where, left: count });
  }

  /** All requests from now on, of those whose URL matches. */
  always(fault: Fault, where?: RegExp): void {
    this.next(Infinity, fault, where);
  }

  clear(): void {
    this.planned = [];
  }

  /** The fault of this request; counts it. */
  take(url: string): Fault | undefined {
    const planned = this.planned.find(({ where, left }) => left > 0 && (where === undefined || where.test(url)));
    if (!planned) return undefined;
    planned.left -= 1;
    return planned.fault;
  }
}
