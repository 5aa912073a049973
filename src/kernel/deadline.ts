/** A timer that is so much too late says that the process stood still, in milliseconds. */
const STANDSTILL_MS = 100;

/**
 * Calls back after `ms`, unless it was cancelled before.
 *
 * While the process stands still (SIGSTOP, a container without processor time, a long task), what the other side sends waits to be read: our
 * standstill is not its silence. So a deadline that is noticed too late is put off once, by as much; and before it is missed, what has
 * arrived is read.
 *
 * @returns cancels it
 */
export function startDeadline(ms: number, onMissed: () => void): () => void {
  let isCancelled = false;
  let timer: NodeJS.Timeout;
  const start = (waitMs: number, mayPutOff: boolean): void => {
    const dueAt = performance.now() + waitMs;
    timer = setTimeout(() => {
      const lateMs = performance.now() - dueAt;
      if (mayPutOff && lateMs > STANDSTILL_MS) start(Math.min(lateMs, ms), false);
      else afterInput(() => !isCancelled && onMissed());
    }, waitMs);
  };
  start(ms, true);
  return () => {
    isCancelled = true;
    clearTimeout(timer);
  };
}

/** Calls back once the event loop has read what had arrived: its timers come before that. */
export function afterInput(callback: () => void): void {
  setImmediate(() => setImmediate(callback));
}
