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

describe('the times of a rule', () => {
  it.each(TIMES)('%s has a value that can be counted with', (name) => {
    const time = (value: number): number => policyOf({ [name]: value }, DEFAULTS)[name];
    expect([Infinity, 1e300, 1_500].map(time)).toEqual([ENDLESS_MS, ENDLESS_MS, 1_500]);
    expect([-1, -Infinity].map(time)).toEqual([0, 0]);
    expect(time(NaN)).toBe(DEFAULTS[name]);
    expect(policyOf({}, { ...DEFAULTS, [name]: Infinity })[name]).toBe(ENDLESS_MS);
  });

  it('jitter and beta that are no share are the defaults', () => {
    expect(policyOf({ jitter: NaN, earlyRefreshBeta: -1 }, DEFAULTS)).toEqual(DEFAULTS);
    expect(policyOf({ jitter: 7, earlyRefreshBeta: 0 }, DEFAULTS)).toEqual({
      ...DEFAULTS,
      jitter: 1,
      earlyRefreshBeta: 0,
    });
  });
});
