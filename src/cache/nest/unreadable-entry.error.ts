/** The stored bytes cannot be unpacked: the entry is not what it says it is. */
export class UnreadableEntryError extends Error {
  constructor(key: string, options: ErrorOptions) {
    super(`The stored body of ${key} cannot be unpacked.`, options);
    this.name = 'UnreadableEntryError';
  }
}
