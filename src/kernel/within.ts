import { AppError } from './app-error';
import { startDeadline } from './deadline';

/** The flight's result, or a time-out's error, if there is a deadline; the flight itself continues for others and for the store. */
export function within<T>(
  result: Promise<T>,
  deadlineMs: number | undefined,
  errorAfter: (ms: number) => AppError = deadlineExceeded,
): Promise<T> {
  if (deadlineMs === undefined) return result;
  return new Promise((resolve, reject) => {
    const cancel = startDeadline(deadlineMs, () => reject(errorAfter(deadlineMs)));
    result.then(resolve, reject).finally(cancel);
  });
}

function deadlineExceeded(ms: number): AppError {
  const message = `No answer within ${ms} ms. The load goes on: try again shortly.`;
  return new AppError('deadline-exceeded', message, { retryAfterMs: 1_000 });
}

/** The error of a load that exceeds an origin's limit. */
export function loadTimedOut(ms: number): AppError {
  const message = `The upstream did not answer within ${ms / 1_000} s.`;
  return new AppError('upstream-timeout', message, { retryAfterMs: 1_000 });
}

/** Whether it settles in time, successfully or not. */
export function settlesWithin(event: Promise<unknown>, deadlineMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = startDeadline(deadlineMs, () => resolve(false));
    const settled = (): void => {
      cancel();
      resolve(true);
    };
    event.then(settled, settled);
  });
}

/**
 * The answer, or an error as soon as the signal aborts. The work itself continues for the other requests that wait for it.
 *
 * @throws AppError `deadline-exceeded`
 */
export function untilAborted<T>(signal: AbortSignal | undefined, answer: () => Promise<T>): Promise<T> {
  if (!signal) return answer();
  return new Promise((resolve, reject) => {
    const giveUp = (): void =>
      reject(new AppError('deadline-exceeded', 'The signal of the request aborted before there was an answer.'));
    if (signal.aborted) {
      giveUp();
      return;
    }
    signal.addEventListener('abort', giveUp, { once: true });
    void answer()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', giveUp));
  });
}
