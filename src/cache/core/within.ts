import { AppError } from '../../kernel/app-error';

/** The flight's result, or a deadline's error, if there is a deadline; the flight itself goes on for others and for the store. */
export function within<T>(result: Promise<T>, deadlineMs: number | undefined): Promise<T> {
  if (deadlineMs === undefined) return result;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const message = `No answer within ${deadlineMs} ms. The load goes on: try again shortly.`;
      reject(new AppError('deadline-exceeded', message, { retryAfterMs: 1_000 }));
    }, deadlineMs);
    result.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** Whether it settles in time, well or not. */
export function settlesWithin(event: Promise<unknown>, deadlineMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), deadlineMs);
    const settled = (): void => {
      clearTimeout(timer);
      resolve(true);
    };
    event.then(settled, settled);
  });
}
