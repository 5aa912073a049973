/** Redis did not answer in time, is not connected, or refused the command for a reason of its own (OOM, READONLY, LOADING, ...). */
export class RedisUnavailableError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RedisUnavailableError';
  }
}
