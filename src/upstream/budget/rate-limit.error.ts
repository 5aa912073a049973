import { AppError } from '../../kernel/app-error';

/** `primary`: the limit of a resource is spent. `secondary`: the upstream asks the credential to slow down, whatever is left. */
export type LimitKind = 'primary' | 'secondary';

/** A request that was not sent because of a rate limit, with the limit in the form for clients. */
export class RateLimitError extends AppError {
  constructor(
    cause: AppError,
    readonly kind: LimitKind,
    headers: Readonly<Record<string, string>>,
  ) {
    super(cause.code, cause.message, {
      ...(cause.retryAfterMs !== undefined && { retryAfterMs: cause.retryAfterMs }),
      headers,
      cause,
    });
    this.name = 'RateLimitError';
  }
}
