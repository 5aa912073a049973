/** The process stood still if a timer fires this much late, in milliseconds. */
export const STANDSTILL_MS = 100;
/** In how many parts a deadline is waited for. */
const PARTS = 8;

/**
 * Calls back after `ms`, unless it was cancelled before.
 *
 * While the process stands still (SIGSTOP, a container without processor time, a long task), data of the other side waits to be read: our
 * standstill is not its silence. So a part in which the process stood still does not count, until such standstills add up to `ms`; and
 * received data is read before the deadline is missed.
 *
 * @returns cancels it, and returns how much of the time has been counted
 */
export function startDeadline(ms: number, onMissed: () => void): () => number {
  const partMs = ms / PARTS;
  let isCancelled = false;
  let countedMs = 0;
  let sparedMs = 0;
  let timer: NodeJS.Timeout;
  const wait = (): void => {
    const from = performance.now();
    const waitMs = Math.min(partMs, ms - countedMs);
    timer = setTimeout(() => {
      const tookMs = performance.now() - from;
      const lateMs = tookMs - waitMs;
      if (lateMs > STANDSTILL_MS && sparedMs < ms) sparedMs += lateMs;
      else countedMs += tookMs;
      if (countedMs < ms) wait();
      else afterInput(() => !isCancelled && onMissed());
    }, waitMs);
  };
  wait();
  return () => {
    isCancelled = true;
    clearTimeout(timer);
    return countedMs;
  };
}

/** Calls back once the event loop has read received data, which it does after its timers. */
function afterInput(callback: () => void): void {
  setImmediate(() => setImmediate(callback));
}
