import type { CacheEntry } from '../model/cache-entry';
import type { StoredAnswer } from '../model/exchange';
import { cacheStatusOf } from './cache-status';

describe('Cache-Status (RFC 9211)', () => {
  const entry = { storedAt: 0, freshUntil: 60_000 } as CacheEntry;
  const statusOf = (answer: Pick<StoredAnswer, 'outcome' | 'stored'>): string =>
    cacheStatusOf({ kind: 'stored', entry, tier: 'upstream', ...answer }, 'k', 1_000);

  it('tells the remaining lifetime of what is in the cache, and none of a response that is not', () => {
    expect(statusOf({ outcome: 'HIT' })).toContain('; ttl=59;');
    expect(statusOf({ outcome: 'MISS', stored: true })).toContain('; stored; ttl=59;');
    for (const outcome of ['MISS', 'COALESCED', 'REVALIDATED', 'BYPASS'] as const)
      expect(statusOf({ outcome, stored: false })).not.toContain('ttl');
  });
});
