import { RedisUnavailableError } from './redis-unavailable.error';

/**
 * The promise, or a `RedisUnavailableError` after `ms`. A timer that fires late because the event loop stood still gives
 * the reply one more turn to be read: a stall of ours is not Redis' silence.
 */
export function withDeadline<T>(promise: Promise<T>, ms: number, onMissed: () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    let settled = false;
    const miss = (): void => {
      if (settled) return;
      onMissed();
      reject(new RedisUnavailableError(`no answer within ${ms} ms`));
    };
    const timer = setTimeout(() => setImmediate(() => setImmediate(miss)), ms);
    const settle = (): void => {
      settled = true;
      clearTimeout(timer);
    };
    promise.then(
      (value) => {
        settle();
        resolve(value);
      },
      (error: unknown) => {
        settle();
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}
