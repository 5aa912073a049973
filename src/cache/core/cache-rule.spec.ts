import { ENDLESS_MS, policyOf, type FreshnessPolicy } from './cache-rule';

const DEFAULTS: FreshnessPolicy = {
  ttlMs: 60_000,
  negativeTtlMs: 1_000,
  swrMs: 2_000,
  sieMs: 3_000,
  jitter: 0.1,
  earlyRefreshBeta: 1,
};
const TIMES = ['ttlMs', 'negativeTtlMs', 'swrMs', 'sieMs'] as const;

describe('the policy of a rule', () => {
  it.each(TIMES)('has a %s that can be counted with', (name) => {
    const time = (value: number): number | undefined => policyOf({ [name]: value }, DEFAULTS)[name];
    expect([Infinity, 1e300, 1_500].map(time)).toEqual([ENDLESS_MS, ENDLESS_MS, 1_500]);
    expect([-1, -Infinity].map(time)).toEqual([0, 0]);
    expect(time(NaN)).toBe(name === 'negativeTtlMs' ? DEFAULTS.negativeTtlMs : undefined);
  });

  it('has defaults that can be counted with', () => {
    const { defaultTtlMs, defaultSwrMs, defaultSieMs } = policyOf({}, { ...DEFAULTS, ttlMs: Infinity, swrMs: -1 });
    expect([defaultTtlMs, defaultSwrMs, defaultSieMs]).toEqual([ENDLESS_MS, 0, DEFAULTS.sieMs]);
  });

  it('takes the default for a jitter or a beta that is no share', () => {
    expect(policyOf({ jitter: NaN, earlyRefreshBeta: -1 }, DEFAULTS)).toMatchObject({
      jitter: 0.1,
      earlyRefreshBeta: 1,
    });
    expect(policyOf({ jitter: 7, earlyRefreshBeta: 0 }, DEFAULTS)).toMatchObject({ jitter: 1, earlyRefreshBeta: 0 });
  });
});
