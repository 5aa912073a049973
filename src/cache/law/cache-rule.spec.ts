import { ENDLESS_MS, toCachePolicy, type FreshnessPolicy } from './cache-rule';

const DEFAULTS: FreshnessPolicy = {
  ttlMs: 60_000,
  negativeTtlMs: 1_000,
  staleWhileRevalidateMs: 2_000,
  staleIfErrorMs: 3_000,
  jitter: 0.1,
  earlyRefreshBeta: 1,
};
const TIMES = ['ttlMs', 'negativeTtlMs', 'staleWhileRevalidateMs', 'staleIfErrorMs'] as const;

describe('the policy of a rule', () => {
  it.each(TIMES)('has a %s that can be counted with', (name) => {
    const time = (value: number): number | undefined => toCachePolicy({ [name]: value }, DEFAULTS)[name];
    expect([Infinity, 1e300, 1_500].map(time)).toEqual([ENDLESS_MS, ENDLESS_MS, 1_500]);
    expect([-1, -Infinity].map(time)).toEqual([0, 0]);
    expect(time(NaN)).toBe(name === 'negativeTtlMs' ? DEFAULTS.negativeTtlMs : undefined);
  });

  it('has defaults that can be counted with', () => {
    const { defaultTtlMs, defaultStaleWhileRevalidateMs, defaultStaleIfErrorMs } = toCachePolicy(
      {},
      { ...DEFAULTS, ttlMs: Infinity, staleWhileRevalidateMs: -1 },
    );
    expect([defaultTtlMs, defaultStaleWhileRevalidateMs, defaultStaleIfErrorMs]).toEqual([
      ENDLESS_MS,
      0,
      DEFAULTS.staleIfErrorMs,
    ]);
  });

  it('takes the default for a jitter or a beta that is no share', () => {
    expect(toCachePolicy({ jitter: NaN, earlyRefreshBeta: -1 }, DEFAULTS)).toMatchObject({
      jitter: 0.1,
      earlyRefreshBeta: 1,
    });
    expect(toCachePolicy({ jitter: 7, earlyRefreshBeta: 0 }, DEFAULTS)).toMatchObject({
      jitter: 1,
      earlyRefreshBeta: 0,
    });
  });
});
