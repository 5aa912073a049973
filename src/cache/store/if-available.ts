import { AppError } from '../../kernel/app-error';
import { StoreUnavailableError } from './cache-store';

/** A failing store does not affect the answer: the response is only not kept. Undefined while the store is down. */
export async function ifAvailable<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof StoreUnavailableError) return undefined;
    throw error;
  }
}

/**
 * The result of a store operation, for a caller that cannot continue without it.
 *
 * @param doing the operation, as in "Redis did not …"
 * @throws AppError `cache-unavailable` where the store cannot be reached
 */
export async function confirmed<T>(doing: string, result: Promise<T>): Promise<T> {
  try {
    return await result;
  } catch (error) {
    if (!(error instanceof StoreUnavailableError)) throw error;
    const message = `Redis did not ${doing} (${error.message}). Nothing is promised: send the request again.`;
    throw new AppError('cache-unavailable', message, { retryAfterMs: 1_000, cause: error });
  }
}
