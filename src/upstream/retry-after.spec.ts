import { retryAfterMs } from './retry-after';

describe('retryAfterMs (RFC 9110 §10.2.3)', () => {
  const now = Date.parse('Mon, 23 Nov 2026 12:00:00 GMT');

  it.each([
    ['30', 30_000],
    ['0', 0],
    ['Mon, 23 Nov 2026 12:01:00 GMT', 60_000],
    ['Mon, 23 Nov 2026 11:00:00 GMT', 0],
    ['999999999999', 86_400_000],
    ['soon', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('%s is %s ms', (field, ms) => {
    expect(retryAfterMs(field, now)).toBe(ms);
  });
});
