import fc from 'fast-check';
import { matchesGlob } from './glob';

describe('matchesGlob', () => {
  it.each([
    ['*', '', true],
    ['*', 'anything', true],
    ['github:*', 'github:accounts:redis', true],
    ['*:redis', 'github:accounts:redis', true],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    ['[a-z]', 'b', false],
    ['[a-z]', '[a-z]', true],
    ['a.c', 'abc', false],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'a-c-b', false],
  ])('%s on %s is %s', (glob, text, matches) => {
    expect(matchesGlob(glob, text)).toBe(matches);
  });

  it('agrees with a regular expression', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 });
    const text = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 10 });
    fc.assert(
      fc.property(letters, text, (glob, word) => {
        const pattern = new RegExp(`^${glob.replace(/\*+/g, '.*').replace(/\?/g, '.')}$`);
        expect(matchesGlob(glob, word)).toBe(pattern.test(word));
      }),
    );
  });

  it('takes no more steps than glob × text on a hostile pair', () => {
    expect(matchesGlob('*a'.repeat(120) + 'b', 'a'.repeat(20_000))).toBe(false);
  });
});
