import { matchesFilter } from './entry-filter';
import type { EntryView } from './entry-view';

const entry = (kind: EntryView['kind'], isFresh: boolean) =>
  ({ kind, isFresh, partition: '-', status: 200 }) as EntryView;

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
