import { namedKeys } from './named-keys';

describe('the key that a URL names', () => {
  it.each([
    ['github:-:/users/redis', ['github:-:/users/redis']],
    ['github%3A-%3A%2Fusers%2Fredis', ['github:-:/users/redis', 'github%3A-%3A%2Fusers%2Fredis']],
    ['github:-:/users/redis?per_page=5', ['github:-:/users/redis?per_page=5']],
    ['github:-:/users/redis%3Fper_page=5', ['github:-:/users/redis?per_page=5', 'github:-:/users/redis%3Fper_page=5']],
    ['github:-:/a%252Fb', ['github:-:/a%2Fb', 'github:-:/a%252Fb']],
    ['github:-:/', ['github:-:/']],
    ['100%', ['100%']],
    ['', ['']],
  ])('%s may be %j', (written, keys) => {
    expect(namedKeys(`/admin/cache/entries/${written}`).keys).toEqual(keys);
    expect(namedKeys(`http://h:1/%61dmin/cache/entries/${written}`).keys).toEqual(keys);
  });

  it.each(['github:-:/a?mode=foo', 'account:u?mode=', 'github:-:/a?page=2&mode=STALE'])(
    'is refused where the mode at its end is none: %s',
    (written) => {
      expect(() => namedKeys(`/admin/cache/entries/${written}`)).toThrow('mode is purge or stale');
    },
  );

  it('may itself end in a mode, percent-encoded', () => {
    expect(namedKeys('/admin/cache/entries/github:-:/a%3Fmode=foo').keys).toContain('github:-:/a?mode=foo');
  });

  it.each([
    ['github:-:/a?body=true', { keys: ['github:-:/a'], withBody: true, mode: 'purge' }],
    ['github:-:/a?mode=stale', { keys: ['github:-:/a'], withBody: false, mode: 'stale' }],
    ['github:-:/a?page=2&mode=stale', { keys: ['github:-:/a?page=2'], withBody: false, mode: 'stale' }],
    ['github:-:/a?mode=stale&page=2', { keys: ['github:-:/a?mode=stale&page=2'], withBody: false, mode: 'purge' }],
    ['github:-:/a?body=text', { keys: ['github:-:/a?body=text'], withBody: false, mode: 'purge' }],
  ])('has what this service reads at its end taken off: %s', (written, named) => {
    expect(namedKeys(`/admin/cache/entries/${written}`)).toEqual(named);
  });
});
