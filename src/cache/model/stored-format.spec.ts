import { FormatReader, FormatWriter } from './stored-format';

describe('FormatWriter', () => {
  it.each([Infinity, -Infinity / Infinity, 1e300, Number.MAX_SAFE_INTEGER + 1])('refuses the number %s', (value) => {
    expect(() => new FormatWriter().number(value)).toThrow(RangeError);
  });

  it.each([
    [0, 0],
    [-5, 0],
    [-Infinity, 0],
    [127.6, 128],
    [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  ])('writes %s as %s', (value, read) => {
    const bytes = new FormatWriter().number(value).finish();
    expect(new FormatReader(bytes, 0, bytes.length).number()).toBe(read);
  });
});
