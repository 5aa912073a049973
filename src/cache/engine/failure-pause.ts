import { AppError, type ErrorCode } from '../../kernel/app-error';
import type { LoadFailure } from '../store/cache-store';
import { StatusFailure, UnkeptFailure } from './load-failure';

const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 5_000;
const MAX_REQUESTED_PAUSE_MS = 60_000;

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

/**
 * Whether a failed load says nothing about the upstream: the service itself could not send the request or was not allowed to, or the error
 * cannot be shared.
 */
export function isOwnFault(error: unknown): boolean {
  if (error instanceof UnkeptFailure) return true;
  return error instanceof AppError && OWN_FAULTS.has(error.code);
}

const OWN_FAULTS: ReadonlySet<ErrorCode> = new Set(['overloaded', 'request-timeout']);

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
