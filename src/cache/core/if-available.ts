import { StoreUnavailableError } from './cache-store';

/** A store that fails takes nothing from the answer: the response is there, it is only not kept. Undefined while it cannot be reached. */
export async function ifAvailable<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof StoreUnavailableError) return undefined;
    throw error;
  }
}
