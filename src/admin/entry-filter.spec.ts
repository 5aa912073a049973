import { matchesFilter, sorted } from './entry-filter';
import type { EntryDocument } from './entry.documents';

const entry = (kind: EntryDocument['kind'], isFresh: boolean) =>
  ({ kind, isFresh, partition: '-', status: 200 }) as EntryDocument;

describe('the filter by freshness', () => {
  it('has responses that are fresh, or stale', () => {
    expect(matchesFilter(entry('variant', true), { freshness: 'fresh' })).toBe(true);
    expect(matchesFilter(entry('variant', true), { freshness: 'stale' })).toBe(false);
    expect(matchesFilter(entry('part', false), { freshness: 'stale' })).toBe(true);
  });

  it('has no index, which is kept longer than what it leads to is fresh', () => {
    expect(matchesFilter(entry('index', true), { freshness: 'fresh' })).toBe(false);
    expect(matchesFilter(entry('index', false), { freshness: 'stale' })).toBe(false);
    expect(matchesFilter(entry('index', true), {})).toBe(true);
  });
});

describe('the order of a page', () => {
  const one = (key: string, kind: EntryDocument['kind'], ttl: number) =>
    ({ key, kind, ttl, size: ttl, age: ttl }) as EntryDocument;
  const entries = [one('a', 'index', 900), one('b', 'variant', 10), one('c', 'part', 20), one('d', 'index', -5)];
  const keys = (...how: ['ttl' | 'size' | 'age', 'asc' | 'desc']) =>
    sorted(entries, ...how)
      .map(({ key }) => key)
      .join('');

  it.each(['ttl', 'size'] as const)('by %s has indexes last, which show none', (field) => {
    expect(keys(field, 'asc')).toBe('bcad');
    expect(keys(field, 'desc')).toBe('cbda');
  });

  it('by age has them among the others', () => {
    expect(keys('age', 'asc')).toBe('dbca');
  });
});
