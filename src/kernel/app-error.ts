import { HttpException } from '@nestjs/common';
import { kindOfProblem, type ErrorCode } from './problem-table';

export type { ErrorCode, ServiceErrorCode } from './problem-table';

export interface AppErrorOptions {
  /** How long the caller should wait before a further try, in milliseconds; sent as `Retry-After`. */
  readonly retryAfterMs?: number;
  /** Header fields of the answer, such as `WWW-Authenticate`. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/**
 * A failure with a stable code. `message` says what happened, to what, and what to do next; it never holds a token or a body.
 *
 * It is an exception of Nest's, so that an application of another team answers it with its status, and their filters know it.
 */
export class AppError extends HttpException {
  readonly retryAfterMs: number | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    readonly code: ErrorCode,
    message: string,
    options: AppErrorOptions = {},
  ) {
    super(message, 500, { cause: options.cause });
    this.name = 'AppError';
    this.retryAfterMs = options.retryAfterMs;
    this.headers = options.headers ?? {};
  }

  /** A feature may register its codes later. */
  override getStatus(): number {
    return kindOfProblem(this.code).status;
  }

  override getResponse(): object {
    const { status, title } = kindOfProblem(this.code);
    if (status === 500) return { statusCode: status, message: 'Internal server error' }; // as Nest answers any error
    return { statusCode: status, message: this.message, error: title, code: this.code };
  }
}
