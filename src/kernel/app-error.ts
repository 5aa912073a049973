/** The stable codes of the service's own errors; status and title are decided at the edge (`http/problem-table.ts`). */
export type ServiceErrorCode =
  | 'request-invalid'
  | 'route-not-found'
  | 'method-not-allowed'
  | 'admin-unauthorized'
  | 'webhook-unsigned'
  | 'too-many-attempts'
  | 'entry-not-found'
  | 'payload-too-large'
  | 'header-too-large'
  | 'request-timeout'
  | 'transfer-coding-unknown'
  | 'upstream-timeout'
  | 'upstream-unreachable'
  | 'upstream-invalid'
  | 'upstream-unauthorized'
  | 'upstream-rate-limited'
  | 'upstream-too-large'
  | 'upstream-error'
  | 'upstream-paused'
  | 'deadline-exceeded'
  | 'not-cached'
  | 'cache-unavailable'
  | 'overloaded'
  | 'shutting-down'
  | 'internal';

/** A feature registers its own codes in the problem table; the service's own are completed in an editor. */
export type ErrorCode = ServiceErrorCode | (string & Record<never, never>);

export interface AppErrorOptions {
  /** How long the caller should wait before a further try, in milliseconds; sent as `Retry-After`. */
  readonly retryAfterMs?: number;
  /** Header fields of the answer, such as `WWW-Authenticate`. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** A failure with a stable code. `message` says what happened, to what, and what to do next; it never holds a token or a body. */
export class AppError extends Error {
  readonly retryAfterMs: number | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    readonly code: ErrorCode,
    message: string,
    options: AppErrorOptions = {},
  ) {
    super(message, { cause: options.cause });
    this.name = 'AppError';
    this.retryAfterMs = options.retryAfterMs;
    this.headers = options.headers ?? {};
  }
}
