import { startDeadline } from '../kernel/deadline';
import { RedisUnavailableError } from './redis-unavailable.error';

/** The promise, or a `RedisUnavailableError` after `ms`. */
export function withDeadline<T>(promise: Promise<T>, ms: number, onMissed: () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = startDeadline(ms, () => {
      onMissed();
      reject(new RedisUnavailableError(`no answer within ${ms} ms`));
    });
    promise.then(
      (value) => {
        cancel();
        resolve(value);
      },
      (error: unknown) => {
        cancel();
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}
