import type { IncomingMessage } from 'node:http';

export interface PaceLimits {
  /** How long so many bytes of a body may take, in milliseconds; the first time counts from the request on. */
  readonly timeoutMs: number;
  /** How long the head has taken. */
  readonly headMs: number;
  readonly onTooSlow: () => void;
}

/** The bytes that must arrive, or the body end, in each span of `timeoutMs`. */
const MIN_BYTES = 65_536;
const LOOKS = 8;

/**
 * Ends a body that comes too slowly: one that trickles, or stands still. A large body that flows may take longer, and time in which
 * the body waits for its readers does not count: a slow client is not the upstream's fault.
 */
export function limitPace(response: IncomingMessage, { timeoutMs, headMs, onTooSlow }: PaceLimits): void {
  const { socket } = response;
  const lookMs = timeoutMs / LOOKS;
  let waitedMs = headMs;
  let silentMs = 0;
  let from = socket.bytesRead;
  let last = from;
  const timer = setInterval(() => {
    if (response.complete) clearInterval(timer);
    const waitsForReaders = response.readableLength > 0;
    const isSilent = socket.bytesRead === last && !waitsForReaders;
    silentMs = isSilent ? silentMs + lookMs : 0;
    last = socket.bytesRead;
    if (response.complete || waitsForReaders) return;
    waitedMs += lookMs;
    const isTooFew = waitedMs >= timeoutMs && last - from < MIN_BYTES;
    if (isTooFew || silentMs >= timeoutMs) onTooSlow();
    if (waitedMs >= timeoutMs) [waitedMs, from] = [0, last];
  }, lookMs).unref();
  response.once('close', () => clearInterval(timer));
}
