import { types } from 'node:util';
import type { CacheInvalidator } from './cache-invalidator';

/** The stored bytes cannot be unpacked: the entry is not what it says it is. */
export class UnreadableEntryError extends Error {
  constructor(
    readonly key: string,
    options: ErrorOptions,
  ) {
    super(`The stored body of ${key} cannot be unpacked.`, options);
    this.name = 'UnreadableEntryError';
  }
}

/** @throws UnreadableEntryError, or rejects with it, where the bytes cannot be read */
export function orUnreadable<T>(key: string, read: () => T | Promise<T>): T | Promise<T> {
  const unreadable = (cause: unknown): never => {
    throw new UnreadableEntryError(key, { cause });
  };
  try {
    const made = read();
    return types.isPromise(made) ? made.catch(unreadable) : made;
  } catch (error) {
    return unreadable(error);
  }
}

/** Removes an entry that cannot be read, so that the next look is a miss. @throws the error itself, if it is another one */
export async function removeUnreadable(
  error: unknown,
  invalidator: CacheInvalidator,
  logger: { warn(message: string): void },
): Promise<void> {
  if (!(error instanceof UnreadableEntryError)) throw error;
  logger.warn(`${error.message} Removed, counts as a miss.`);
  await invalidator.invalidate({ kind: 'key', key: error.key });
}
