import { AppError } from '../../kernel/app-error';

/** The origin failed with its own status, which every waiting request gets. */
export class StatusFailure extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** The response body of the origin, as JSON. */
    readonly body: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'StatusFailure';
  }
}

/** The load failed with an error that cannot be shared: requests that did not start this load call the origin themselves. */
export class UnkeptFailure extends Error {
  constructor(
    cause: unknown,
    /** The error's own status, if it has one. */
    readonly status: number | undefined,
  ) {
    super('The load failed.', { cause });
    this.name = 'UnkeptFailure';
  }
}

// RFC 5861 §4: an error is "any situation that would result in a 500, 502, 503, or 504 HTTP response status code being returned".
const STALE_IF_ERROR_STATUSES: ReadonlySet<number> = new Set([500, 502, 503, 504]);

/** Whether a stale response may be served instead of the error. */
export function mayServeStaleFor(error: unknown): boolean {
  const hasStatus = error instanceof StatusFailure || error instanceof UnkeptFailure;
  return !hasStatus || error.status === undefined || STALE_IF_ERROR_STATUSES.has(error.status);
}

/** Whether the origin could not be reached, so that it has said nothing about the response. */
export function isDisconnection(error: unknown): boolean {
  return error instanceof AppError && (error.code === 'upstream-unreachable' || error.code === 'upstream-timeout');
}
