import { StoreUnavailableError } from '../store/cache-store';

/** A failing store does not affect the answer: the response is only not kept. Undefined while the store is down. */
export async function ifAvailable<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof StoreUnavailableError) return undefined;
    throw error;
  }
}
