import { githubLimits } from './github-limits';

const NOW = 1_800_000_000_000;
const at = (seconds: number) => String(NOW / 1_000 + seconds);

const told = (status: number, text: string | undefined, headers: object = {}) => {
  const fields = new Map<string, string>(
    Object.entries({ 'content-type': 'application/json; charset=utf-8', ...headers }),
  );
  const answer = { status, field: (name: string) => fields.get(name), text };
  return { isOpen: githubLimits.bodyBytesOf!(answer) > 0, refusal: githubLimits.read('core', answer, NOW)[0]?.refusal };
};

describe('a 403 without a hint in its head', () => {
  const untold = { waitMs: 60_000, resource: undefined, hasDuration: false };

  it.each([
    '{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}',
    '{"message":"You have triggered an abuse detection mechanism."}',
    '{"message":"Wait","documentation_url":"https://docs.github.com/rest/overview/rate-limits#about-secondary-rate-limits"}',
  ])('is a secondary limit where its body says so: %s', (text) => {
    expect(told(403, text, { 'x-ratelimit-remaining': '4000' })).toEqual({ isOpen: true, refusal: untold });
  });

  it.each([
    undefined,
    '',
    'secondary rate limit',
    '[]',
    '{"message":7,"documentation_url":"secondary-rate-limits"}',
    '{"message":"Resource not accessible by integration"}',
  ])('is a refusal of access where it does not: %s', (text) => {
    expect(told(403, text)).toEqual({ isOpen: true, refusal: undefined });
  });

  it('is looked into only where that is so', () => {
    expect(told(200, undefined).isOpen).toBe(false);
    expect(told(403, undefined, { 'retry-after': '60' }).isOpen).toBe(false);
    expect(told(403, undefined, { 'content-type': 'text/html' }).isOpen).toBe(false);
  });
});

it('costs one point a minute to read, five to write, and none by GraphQL', () => {
  expect(['GET', 'HEAD', 'OPTIONS', 'POST', 'DELETE'].map((method) => githubLimits.pointsOf!(method, 'core'))).toEqual([
    1, 1, 1, 5, 5,
  ]);
  expect(githubLimits.pointsOf!('POST', 'graphql')).toBe(0);
});

describe('what GitHub says of its limits', () => {
  it.each([
    ['a primary limit waits for the reset', 403, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': at(90) }, 90_000],
    ['a secondary limit waits as long as it says', 403, { 'retry-after': '60' }, 60_000],
    ['a reset in the past waits a second', 429, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': at(-9) }, 1_000],
    [
      'a reset far ahead (a clock that is wrong) waits at most an hour',
      403,
      { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': at(1e6) },
      3_600_000,
    ],
    [
      'a spent limit waits for the reset, though it may be asked sooner',
      403,
      { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': at(600), 'retry-after': '1' },
      600_000,
    ],
    [
      'a spent limit waits as long as it says, though the reset is sooner',
      403,
      { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': at(1), 'retry-after': '600' },
      600_000,
    ],
    ['a 429 without more waits a minute', 429, {}, 60_000],
    [
      'a reset that is no number waits a minute',
      403,
      { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': 'x' },
      60_000,
    ],
    [
      'a wait until a date is by the clock of GitHub',
      429,
      { 'retry-after': 'Fri, 15 Jan 2027 07:02:00 GMT', date: 'Fri, 15 Jan 2027 07:00:00 GMT' },
      120_000,
    ],
    ['a 403 that asks to wait in no known form waits a minute', 403, { 'retry-after': 'soon 5' }, 60_000],
    ['a plain 403 is a refusal', 403, { 'x-ratelimit-remaining': '12' }, undefined],
    ['a 404 is no limit', 404, { 'retry-after': '60' }, undefined],
  ])('%s', (_name, status, headers, ms) => {
    const fields = new Map(Object.entries(headers));
    const [reading] = githubLimits.read('core', { status, field: (name) => fields.get(name) }, NOW);
    expect(reading?.refusal?.waitMs).toBe(ms);
  });
});
