import {
  after,
  isReserved,
  leftOf,
  merged,
  NOTHING_KNOWN,
  waitOf,
  type CredentialBudget,
  type LimitReading,
} from './credential-budget';

const NOW = 1_800_000_000_000;
const RESET = NOW + 600_000;

const reading = (more: Partial<LimitReading>): LimitReading => ({
  ...{ resource: 'core', limit: undefined, refusal: undefined },
  ...more,
});
const told = (remaining: number, resetAt = RESET) => reading({ limit: { limit: 60, remaining, resetAt } });
const refused = (more: Partial<NonNullable<LimitReading['refusal']>> = {}) =>
  reading({ refusal: { waitMs: 60_000, resource: undefined, hasDuration: true, ...more } });
/** Answers that come now, to requests that were sent long before. */
const having = (...readings: readonly LimitReading[]): CredentialBudget =>
  readings.reduce((budget, one) => after(budget, one, { sentAt: 1, now: NOW }), NOTHING_KNOWN);
/** Answers to requests each of which is sent as soon as it may be after the one before. */
const inTurn = (...readings: readonly LimitReading[]): { budget: CredentialBudget; now: number } =>
  readings.reduce(
    ({ budget, now }, one) => {
      const sentAt = now + waitOf(budget, 'core', now);
      return { budget: after(budget, one, { sentAt, now: sentAt }), now: sentAt };
    },
    { budget: NOTHING_KNOWN, now: NOW },
  );

describe('a credential', () => {
  it('may ask while nothing is known', () => {
    expect([waitOf(NOTHING_KNOWN, 'core', NOW), leftOf(NOTHING_KNOWN, 'core', NOW)]).toEqual([0, Infinity]);
  });

  it('waits for the reset of a spent resource, and of that alone', () => {
    const budget = having(told(0));
    expect([waitOf(budget, 'core', NOW), waitOf(budget, 'search', NOW)]).toEqual([600_000, 0]);
    expect(waitOf(budget, 'core', RESET)).toBe(0);
  });

  it('waits with all resources after a secondary limit', () => {
    const budget = having(told(50), refused());
    expect([waitOf(budget, 'core', NOW), waitOf(budget, 'search', NOW)]).toEqual([60_000, 60_000]);
  });

  it('waits twice as long after each refusal without a duration, up to an hour', () => {
    const untold = refused({ hasDuration: false });
    const waits = Array.from({ length: 8 }, (_, at) => {
      const { budget, now } = inTurn(...Array.from({ length: at + 1 }, () => untold));
      return waitOf(budget, 'core', now);
    });
    expect(waits.map((ms) => ms / 60_000)).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
    expect(inTurn(untold, untold, told(5), untold).budget.consecutiveRefusals).toBe(1);
  });

  it('takes the refusals of requests that were under way together for one', () => {
    const untold = refused({ hasDuration: false });
    const budget = having(...Array.from({ length: 8 }, () => untold));
    expect([budget.consecutiveRefusals, waitOf(budget, 'core', NOW)]).toEqual([1, 60_000]);
    const { budget: later, now } = inTurn(untold, untold);
    const twice = after(later, untold, { sentAt: NOW, now });
    expect([twice.consecutiveRefusals, waitOf(twice, 'core', now)]).toEqual([2, 120_000]);
    expect(after(later, told(5), { sentAt: NOW, now }).consecutiveRefusals).toBe(2);
  });

  it('waits for the reset of a spent limit where it is later than it was asked to wait, and the other way round', () => {
    const spent = (waitMs: number) =>
      reading({
        limit: { limit: 60, remaining: 0, resetAt: RESET },
        refusal: { waitMs, resource: 'core', hasDuration: true },
      });
    expect([1_000, 900_000].map((ms) => waitOf(having(spent(ms)), 'core', NOW))).toEqual([600_000, 900_000]);
    expect(waitOf(having(told(0), told(0, RESET - 4_000)), 'core', NOW)).toBe(600_000);
    expect(waitOf(having(told(3), refused({ waitMs: 1_000, resource: 'core' })), 'core', NOW)).toBe(600_000);
  });

  it('ignores a refusal of a window before the known one', () => {
    const limit = { limit: 60, remaining: 0, resetAt: RESET };
    const late = reading({ limit, refusal: { waitMs: 1_000, resource: 'core', hasDuration: true } });
    expect(leftOf(having(told(59, RESET + 3_600_000), late), 'core', NOW)).toBe(59);
  });

  it('uses the lowest remainder of a window, in any order of responses', () => {
    expect(leftOf(having(told(40), told(42), told(41)), 'core', NOW)).toBe(40);
    expect(leftOf(having(told(40), told(41, RESET + 1_000)), 'core', NOW)).toBe(40);
  });

  it('goes by the later of two windows', () => {
    const next = told(59, RESET + 3_600_000);
    expect(leftOf(having(told(0), next), 'core', NOW)).toBe(59);
    expect(leftOf(having(next, told(0)), 'core', NOW)).toBe(59);
  });

  it('knows nothing any more of a window that is over', () => {
    expect(leftOf(having(told(3)), 'core', RESET)).toBe(Infinity);
  });

  it('keeps the reserve for waiting requests', () => {
    expect([6, 7].map((left) => isReserved(having(told(left)), 'core', 0.1, NOW))).toEqual([true, false]);
    expect(isReserved(having(told(6)), 'core', 0.1, RESET)).toBe(false);
    expect(isReserved(NOTHING_KNOWN, 'core', 0.1, NOW)).toBe(false);
  });

  it('is the same in either order of two replicas', () => {
    const [one, other] = [having(told(12)), having(told(9), refused({ waitMs: 5_000 }))];
    expect(merged(one, other)).toEqual(merged(other, one));
    expect([leftOf(merged(one, other), 'core', NOW), waitOf(merged(one, other), 'core', NOW)]).toEqual([9, 5_000]);
  });

  it('takes the count of the later pause, until a success resets it', () => {
    const at = (pausedUntil: number, consecutiveRefusals: number): CredentialBudget => ({
      ...NOTHING_KNOWN,
      pausedUntil,
      consecutiveRefusals,
    });
    expect(merged(at(NOW, 3), at(NOW + 1, 1)).consecutiveRefusals).toBe(1);
    expect(merged(at(NOW, 3), at(NOW, 0)).consecutiveRefusals).toBe(0);
  });

  it('uses the newest announcement of a sliding window, in any order of responses', () => {
    const sliding = (remaining: number, resetAt: number): LimitReading => ({
      ...reading({ limit: { limit: 60, remaining, resetAt } }),
      isSliding: true,
    });
    const seen = (...all: readonly (readonly [sentAt: number, remaining: number])[]) =>
      all.reduce(
        (budget, [sentAt, remaining]) => after(budget, sliding(remaining, RESET + sentAt), { sentAt, now: NOW }),
        NOTHING_KNOWN,
      );
    expect(leftOf(seen([1, 0], [1_000, 7]), 'core', NOW)).toBe(7);
    expect(leftOf(seen([1_000, 7], [1, 0]), 'core', NOW)).toBe(7);
    expect(leftOf(merged(seen([1_000, 7]), seen([2_000, 9])), 'core', NOW)).toBe(9);
    expect(leftOf(merged(seen([2_000, 9]), seen([1_000, 7])), 'core', NOW)).toBe(9);
  });

  it('forgets windows that are over where an API has a name for each path', () => {
    let budget = NOTHING_KNOWN;
    for (let at = 0; at < 500; at++)
      budget = after(
        budget,
        { resource: `path-${at}`, limit: { limit: 1, remaining: 0, resetAt: NOW + at + 1 }, refusal: undefined },
        { sentAt: NOW + at, now: NOW + at },
      );
    expect(Object.keys(budget.resources).length).toBeLessThanOrEqual(51);
    expect(waitOf(budget, 'path-499', NOW + 499)).toBe(1);
  });
});
