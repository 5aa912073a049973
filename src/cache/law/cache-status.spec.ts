import type { CacheEntry } from '../model/cache-entry';
import type { StoredAnswer } from '../model/exchange';
import { cacheStatusOf } from './cache-status';

describe('Cache-Status (RFC 9211)', () => {
  const entry = { storedAt: 0, freshUntil: 60_000 } as CacheEntry;
  const statusOf = (answer: Pick<StoredAnswer, 'outcome' | 'stored'>, now = 1_000): string =>
    cacheStatusOf({ kind: 'stored', entry, tier: 'upstream', ...answer }, 'k', now);

  it('tells the remaining lifetime of what is in the cache, and none of a response that is not', () => {
    expect(statusOf({ outcome: 'HIT' })).toContain('; ttl=59;');
    expect(statusOf({ outcome: 'MISS', stored: true })).toContain('; stored; ttl=59;');
    for (const outcome of ['MISS', 'COALESCED', 'REVALIDATED', 'BYPASS'] as const)
      expect(statusOf({ outcome, stored: false })).not.toContain('ttl');
  });

  it('tells a negative lifetime of a stale response alone, not of a hit whose lifetime ends while it is sent', () => {
    expect(statusOf({ outcome: 'HIT' }, 60_001)).toContain('; ttl=0;');
    expect(statusOf({ outcome: 'HIT_STALE' }, 60_001)).toContain('; ttl=-1;');
  });
});
