import fc from 'fast-check';
import { keysMeant, prefixesMeant } from '../nest/invalidation-message';
import { asUrl, nameOfKey, requestKey, toCacheKey, toKeyPrefix } from './cache-key';

describe('toCacheKey', () => {
  it('keeps readable names unchanged', () => {
    expect(toCacheKey('github:-:/users/redis')).toBe('github:-:/users/redis');
  });

  it('is safe in a Redis hash tag, a header field and a shell line', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        (name) => /^[\x21-\x7e]*$/.test(toCacheKey(name)) && !/[{}"\\]/.test(toCacheKey(name)),
      ),
    );
  });

  it('never gives two names one key', () => {
    const name = fc.string({
      unit: fc.constantFrom('a', '%', '2', 'B', '{', ' ', '\u00e9', '\u{1f600}', '\ud800', '\udc00', '\ufffd'),
    });
    fc.assert(
      fc.property(name, name, (a, b) => (a === b) === (toCacheKey(a) === toCacheKey(b))),
      { numRuns: 2_000 },
    );
  });

  it('keeps long names apart by their digest', () => {
    const long = 'x'.repeat(5_000);
    expect(toCacheKey(`${long}1`)).not.toBe(toCacheKey(`${long}2`));
    expect(toCacheKey(long).length).toBeLessThan(300);
    expect(toCacheKey(`${long}\ud800`)).not.toBe(toCacheKey(`${long}\ud801`));
  });

  it('can be undone for names that are not hashed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 30 }), (name) => nameOfKey(toCacheKey(name)) === name),
    );
  });
});

describe('requestKey', () => {
  it('sorts parameters by name and keeps the order of repeated ones', () => {
    expect(requestKey('GET', '/a?b=2&a=1&b=1')).toBe('GET:/a?a=1&b=2&b=1');
    expect(requestKey('GET', '/a?b=1&a=1&b=2')).not.toBe(requestKey('GET', '/a?b=2&a=1&b=1'));
  });

  it.each([
    ['a=1&%61=2', '%61=2&a=1'],
    ['a[b]=1&a=2', 'a=2&a[b]=1'],
    ['a.b=1&a=2', 'a=2&a.b=1'],
    ['a+b=1&a%20b=2', 'a%20b=2&a+b=1'],
    ['Id=1&id=2', 'id=2&Id=1'],
    ['c=1&a=1;c=2', 'a=1;c=2&c=1'],
  ])('keeps the order of parameters that may be one: %s', (query, other) => {
    expect(requestKey('GET', `/a?${query}`)).not.toBe(requestKey('GET', `/a?${other}`));
  });

  it('sorts names whose values are encoded', () => {
    expect(requestKey('GET', '/a?q=%61+b&page=1')).toBe(requestKey('GET', '/a?page=1&q=%61+b'));
  });

  it('distinguishes an empty query from none', () => {
    expect(requestKey('GET', '/a?')).not.toBe(requestKey('GET', '/a'));
  });
});

describe('asUrl', () => {
  it.each([
    ['/users/\u00e4', '/users/%C3%A4'],
    ['/users/%c3%a4b', '/users/%C3%A4b'],
    ['/users/a b', '/users/a%20b'],
    ['/search?q=a|b', '/search?q=a%7Cb'],
    ['/search?q="x', '/search?q=%22x'],
    ['/search?q={', '/search?q=%7B'],
    ['/search?q=%7eu', '/search?q=~u'],
    ['/search?q=%zz', '/search?q=%25zz'],
    ['/users/%c', '/users/%C'],
  ])('writes %s as the gateway names it', (written, url) => {
    const [name, named] = [`github:-:${written}`, `github:-:${url}`];
    expect(asUrl(name)).toBe(named);
    expect(keysMeant(name)).toContain(toCacheKey(named));
    expect(prefixesMeant(name).some((prefix) => toKeyPrefix(named).startsWith(prefix))).toBe(true);
  });
});
