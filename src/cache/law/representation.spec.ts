import fc from 'fast-check';
import { entityTag, matchesIfNoneMatch, weakened, withLastMember } from './representation';

describe('withLastMember', () => {
  it('adds a member to any serialised object', () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string().filter((name) => name !== 'cached' && name !== '__proto__'),
          fc.jsonValue(),
        ),
        (object) => {
          const spliced = withLastMember(Buffer.from(JSON.stringify(object)), 'cached', 'true').toString();
          expect(JSON.parse(spliced)).toEqual(JSON.parse(JSON.stringify({ ...object, cached: true })));
        },
      ),
    );
  });
});

describe('matchesIfNoneMatch (RFC 9110 §13.1.2)', () => {
  it.each([
    ['*', '"a"', true],
    ['"a"', '"a"', true],
    ['W/"a"', '"a"', true],
    ['"a"', 'W/"a"', true],
    ['"b", W/"a" , "c"', '"a"', true],
    ['"a,b"', '"a,b"', true],
    ['"b"', '"a"', false],
    ['a', '"a"', false],
    ['', '"a"', false],
    ['"a', '"a"', false],
  ])('%s against %s is %s', (field, etag, matches) => {
    expect(matchesIfNoneMatch(field, etag)).toBe(matches);
  });
});

describe('entityTag', () => {
  it('differs for different bytes and is equal for the same', () => {
    expect(entityTag(Buffer.from('a'))).toBe(entityTag(Buffer.from('a')));
    expect(entityTag(Buffer.from('a'))).not.toBe(entityTag(Buffer.from('b')));
    expect(weakened(weakened('"a"'))).toBe('W/"a"');
  });
});
