import { ResponseCacheModule, type ResponseCacheRegistration } from '../../src/cache';
import { EDGE_FIELDS, requestId } from '../../src/server/edge-hooks';
import { gateOf } from './gate-of';

/** Short deadlines, and a policy without anything stale, early or random. */
export const plainSettings = {
  policy: {
    ttlMs: 60_000,
    negativeTtlMs: 1_000,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: 0,
    jitter: 0,
    earlyRefreshBeta: 0,
  },
  l1: { maxBytes: 10_000_000, maxEntries: 1_000 },
  ...{ leaseMs: 2_000, deadlineMs: 2_000, staleAfterMs: 1_000, loadTimeoutMs: 2_000, maxEntryBytes: 1_000_000 },
  fastPathEnabled: true,
} as const;

/** The module with the fast path, as the service registers it. */
export function responseCache(settings: Partial<ResponseCacheRegistration> = {}) {
  return ResponseCacheModule.forRootAsync({
    useFactory: () => ({ ...plainSettings, edgeFields: EDGE_FIELDS, fastPathGate: gateOf, requestId, ...settings }),
  });
}
