import { AppError, type ErrorCode } from '../../kernel/app-error';
import type { LoadFailure } from '../store/cache-store';

/** The failures of loads: who may be served a stale response instead, who shares them, and how long a key pauses after them. */

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

/** The result of a background load. */
export interface RefreshReport {
  readonly upstream: string;
  readonly key: string;
  /** The error code; absent on success. */
  readonly failure?: string;
}

export type RefreshListener = (report: RefreshReport) => void;

/** The code of an upstream's own failure, such as 503, which is a response but not a success (RFC 5861 §4). */
export const UPSTREAM_ERROR = 'upstream-error';

const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 5_000;
const MAX_REQUESTED_PAUSE_MS = 60_000;
// RFC 5861 §4: an error is "any situation that would result in a 500, 502, 503, or 504 HTTP response status code being returned".
const STALE_IF_ERROR_STATUSES: ReadonlySet<number> = new Set([500, 502, 503, 504]);
const OWN_FAULTS: ReadonlySet<ErrorCode> = new Set(['overloaded', 'request-timeout']);

export function failureOf(error: unknown): string {
  return error instanceof AppError ? error.code : 'internal';
}

/** Whether a stale response may be served instead of the error. */
export function mayServeStaleFor(error: unknown): boolean {
  const hasStatus = error instanceof StatusFailure || error instanceof UnkeptFailure;
  return !hasStatus || error.status === undefined || STALE_IF_ERROR_STATUSES.has(error.status);
}

/** Whether the origin could not be reached, so that it has said nothing about the response. */
export function isDisconnection(error: unknown): boolean {
  return error instanceof AppError && (error.code === 'upstream-unreachable' || error.code === 'upstream-timeout');
}

/**
 * Whether a failed load says nothing about the upstream: the service itself could not send the request or was not allowed to, or the error
 * cannot be shared.
 */
export function isOwnFault(error: unknown): boolean {
  return error instanceof UnkeptFailure || (error instanceof AppError && OWN_FAULTS.has(error.code));
}

/**
 * How long a key pauses after its `failures`-th failed load in a row: not after the first, so that the next caller tries again; then 250
 * ms, doubling up to 5 s. An upstream's `Retry-After` is respected, up to a minute.
 */
export function pauseAfterFailures(failures: number, failure: LoadFailure): number {
  const grown = failures < 2 ? 0 : Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures - 2, 16));
  const asked =
    failure.code === 'upstream-rate-limited' ? Math.min(failure.retryAfterMs ?? 0, MAX_REQUESTED_PAUSE_MS) : 0;
  return Math.max(grown, asked);
}

export function toFailure(error: unknown): LoadFailure {
  if (error instanceof StatusFailure)
    return { code: 'internal', message: error.message, status: error.status, body: error.body };
  if (!(error instanceof AppError))
    return { code: 'internal', message: 'The load failed inside the service; see its log.' };
  const { code, message, retryAfterMs } = error;
  return retryAfterMs === undefined ? { code, message } : { code, message, retryAfterMs };
}

/** Another caller's failed load as this caller's error. */
export function fromFailure(failure: LoadFailure, remainingMs: number): AppError | StatusFailure {
  if (failure.status !== undefined) return new StatusFailure(failure.status, failure.message, failure.body ?? '{}');
  const retryAfterMs = Math.max(failure.retryAfterMs ?? 0, remainingMs, 1_000);
  return new AppError(failure.code, failure.message, { retryAfterMs });
}
