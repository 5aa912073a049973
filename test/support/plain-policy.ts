/** A policy without anything stale, early or random. */
export const policy = {
  ttlMs: 60_000,
  negativeTtlMs: 1_000,
  staleWhileRevalidateMs: 0,
  staleIfErrorMs: 0,
  jitter: 0,
  earlyRefreshBeta: 0,
};
