import { performance } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';

/** The real ones, which fake timers replace later. */
const pause = setTimeout;
const now = performance.now.bind(performance);

export interface WaitOptions {
  /** Named in the error: "Waited 60000 ms in vain for <what>". */
  what: string;
  /** When to give up, not how fast it has to be: a machine may be slow. */
  timeoutMs?: number;
  pollMs?: number;
}

/**
 * Polls a fact of the outside world (a process, a socket) until it holds. A fact that throws does not hold yet; its last
 * error is the cause of the final one. Runs on real time even under Jest's fake timers.
 */
export async function waitUntil(
  fact: () => boolean | Promise<boolean>,
  { what, timeoutMs = 60_000, pollMs = 5 }: WaitOptions,
): Promise<void> {
  const deadline = now() + timeoutMs;
  let cause: unknown;
  do {
    try {
      if (await fact()) return;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    await pause(pollMs);
  } while (now() < deadline);
  const because = cause instanceof Error ? ` (last error: ${cause.message})` : '';
  throw new Error(`Waited ${timeoutMs} ms in vain for ${what}${because}`, { cause });
}
