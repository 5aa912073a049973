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
    ['Monday, 23-Nov-26 12:01:00 GMT', 60_000],
    ['Mon Nov 23 12:01:00 2026', 60_000],
    ['2026-11-23T12:01:00Z', undefined],
    ['60.5', undefined],
    ['-1', undefined],
    ['+60', undefined],
    ['1e3', undefined],
    ['60, 60', undefined],
    ['soon 5', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('%s is %s ms', (field, ms) => {
    expect(retryAfterMs(field, now)).toBe(ms);
  });

  it.each([
    ['an hour behind', 'Mon, 23 Nov 2026 11:00:00 GMT', 'Mon, 23 Nov 2026 11:02:00 GMT'],
    ['an hour ahead', 'Mon, 23 Nov 2026 13:00:00 GMT', 'Mon, 23 Nov 2026 13:02:00 GMT'],
  ])('reads a date by the clock of the upstream, which is %s', (_name, date, field) => {
    expect(retryAfterMs(field, now, date)).toBe(120_000);
  });

  it('reads a date by its own clock where the upstream has none', () => {
    expect(retryAfterMs('Mon, 23 Nov 2026 12:02:00 GMT', now, 'today')).toBe(120_000);
  });
});
