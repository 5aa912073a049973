import fc from 'fast-check';
import { parseAccountName } from './account-name';

describe('parseAccountName', () => {
  it.each(['a', 'redis', 'Redis', 'a-b', '0', 'x'.repeat(39), 'constructor'])('takes %s', (name) => {
    expect(parseAccountName(name)).toBe(name.toLowerCase());
  });

  it.each([
    ['', 'empty'],
    ['x'.repeat(40), '40 characters'],
    ['-a', 'a leading hyphen'],
    ['a-', 'a trailing hyphen'],
    ['a--b', 'two hyphens'],
    ['a/b', 'a slash'],
    ['..', 'dots'],
    ['a\0', 'a null'],
    ['a\r\nb', 'a line break'],
    ['а', 'a Cyrillic letter'],
    ['İ', 'a letter that folds to ASCII'],
    ['😀', 'an emoji'],
    ['__proto__', 'underscores'],
    ["a' or 1=1", 'SQL'],
    ['${7*7}', 'a template'],
  ])('refuses %j (%s)', (name) => {
    expect(() => parseAccountName(name)).toThrow(expect.objectContaining({ code: 'account-invalid' }) as Error);
  });

  it('lets nothing through that could leave a path segment, and every name', () => {
    const unit = fc.constantFrom('a', 'b', 'Z', '0', '-');
    const any = fc.constantFrom('a', 'Z', '0', '-', '_', '.', '/', '%', ' ', '\n', '\0', '\u017f', '\u212a', '\u0430');
    const texts = fc.oneof(fc.string({ unit, maxLength: 45 }), fc.string({ unit: any, maxLength: 5 }));
    fc.assert(
      fc.property(texts, (text) => {
        const isName = /^[a-zA-Z0-9-]{1,39}$/.test(text) && !/^-|--|-$/.test(text);
        if (isName) expect(parseAccountName(text)).toBe(text.toLowerCase());
        else expect(() => parseAccountName(text)).toThrow();
      }),
      { numRuns: 500 },
    );
  });
});
