import { types } from 'node:util';

/** The stored bytes cannot be unpacked: the entry is not what it says it is. */
export class UnreadableEntryError extends Error {
  constructor(key: string, options: ErrorOptions) {
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
