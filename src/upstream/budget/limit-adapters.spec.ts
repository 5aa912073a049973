import { ietfLimits } from './ietf-limits';
import { bodyLimits, fieldLimits, noLimits, retryAfterLimits } from './limit-adapters';
import type { RateLimitAdapter } from './rate-limit-adapter';

const NOW = 1_800_000_000_000;
const DAY_MS = 86_400_000;
const epoch = (seconds: number) => String(NOW / 1_000 + seconds);

const read = (adapter: RateLimitAdapter, status: number, headers: Readonly<Record<string, string>>, text?: string) =>
  adapter.read('default', { status, field: (name) => headers[name], text }, NOW);
const limitOf = (limit: number, remaining: number, inMs: number) => ({ limit, remaining, resetAt: NOW + inMs });

describe('limits in fields of their own', () => {
  const adapter = fieldLimits({
    fields: {
      ...{ limit: 'ratelimit-limit', remaining: 'ratelimit-remaining', reset: 'ratelimit-reset' },
      resource: 'ratelimit-name',
    },
  });
  const fields = (remaining: string, reset: string) => ({
    ...{ 'ratelimit-limit': '60', 'ratelimit-remaining': remaining, 'ratelimit-reset': reset },
  });

  it.each(['60', '60, 60;w=30', '60;w=30'])('are read with the policy behind the number, as %j', (limit) => {
    expect(read(adapter, 200, { ...fields('12', '30'), 'ratelimit-limit': limit })[0]?.limit).toEqual(
      limitOf(60, 12, 30_000),
    );
  });

  it.each([
    ['seconds since the epoch', epoch(30)],
    ['seconds from now', '30'],
    ['seconds with a fraction', '30.0'],
    ['milliseconds since the epoch', String(NOW + 30_000)],
    ['a date', new Date(NOW + 30_000).toUTCString()],
    ['a date of ISO 8601', new Date(NOW + 30_000).toISOString()],
  ])('are read with a reset in %s', (_what, reset) => {
    expect(read(adapter, 200, fields('12', reset))).toEqual([
      { resource: 'default', limit: limitOf(60, 12, 30_000), refusal: undefined },
    ]);
  });

  it('hold back one endpoint alone where endpoints have limits of their own', () => {
    const { read: readLimits, resourceOf } = fieldLimits({
      ...{ fields: { limit: 'limit', remaining: 'left', reset: 'reset' }, hasEndpointLimits: true },
    });
    const at = (status: number, headers: Readonly<Record<string, string>>) =>
      readLimits('default', { status, field: (name) => headers[name], shape: '/files' }, NOW).map((one) => [
        one.resource,
        one.refusal?.resource,
        one.refusal?.waitMs,
      ]);
    const spent = { limit: '60', left: '0', reset: epoch(30) };
    expect(resourceOf?.('/files/7', 'GET')).toEqual(['default', 'endpoint /files']);
    expect(at(200, {})).toEqual([
      ['default', undefined, undefined],
      ['endpoint /files', undefined, undefined],
    ]);
    expect(at(429, { ...spent, left: '59', 'retry-after': '600' })).toEqual([
      ['default', undefined, undefined],
      ['endpoint /files', 'endpoint /files', 600_000],
    ]);
    expect(at(429, spent)).toEqual([
      ['default', 'default', 30_000],
      ['endpoint /files', undefined, undefined],
    ]);
  });

  it('are shown to clients as they are now, where the definition says so', () => {
    const names = { limit: 'x-limit', remaining: 'x-left', reset: 'x-reset', used: 'x-used', resource: 'x-name' };
    const { fieldsOf, fieldNames } = fieldLimits({ fields: names, showsResetAs: 'epoch-seconds' });
    expect(fieldsOf?.('api', limitOf(60, 12, 30_000), NOW)).toEqual({
      ...{ 'x-limit': '60', 'x-left': '12', 'x-used': '48', 'x-reset': epoch(30), 'x-name': 'api' },
    });
    expect(fieldsOf?.('api', { ...limitOf(60, 0, 1), limit: undefined }, NOW)).toEqual({
      ...{ 'x-left': '0', 'x-reset': epoch(1), 'x-name': 'api' },
    });
    expect(fieldNames).toEqual(Object.values(names));
    expect(adapter.fieldsOf).toBeUndefined();
  });

  it.each([
    ['seconds-from-now', '30'],
    ['epoch-seconds', epoch(30)],
    ['epoch-milliseconds', String(NOW + 30_000)],
    ['http-date', new Date(NOW + 30_000).toUTCString()],
    ['iso-date', new Date(NOW + 30_000).toISOString()],
  ] as const)('are shown with the reset as the API writes it: %s', (showsResetAs, reset) => {
    const names = { limit: 'X-Limit', remaining: 'X-Left', reset: 'X-Reset' };
    const shown = fieldLimits({ fields: names, showsResetAs });
    expect(shown.fieldsOf?.('api', limitOf(60, 12, 30_000), NOW)['x-reset']).toBe(reset);
    expect(read(shown, 200, { 'x-limit': '60', 'x-left': '12', 'x-reset': reset })[0]?.limit).toEqual(
      limitOf(60, 12, 30_000),
    );
  });

  it('are read by the upstream’s clock, which may be another', () => {
    const date = new Date(NOW - 600_000).toUTCString();
    const [reading] = read(adapter, 200, { ...fields('1', epoch(-570)), date });
    expect(reading?.limit?.resetAt).toBe(NOW + 30_000);
  });

  it('take the name that an answer gives, if it is a word', () => {
    expect(read(adapter, 200, { ...fields('1', '9'), 'ratelimit-name': 'search' })[0]?.resource).toBe('search');
    expect(read(adapter, 200, { ...fields('1', '9'), 'ratelimit-name': 'a b"c' })[0]?.resource).toBe('default');
  });

  it('hold a spent limit until its reset, and no longer than a day', () => {
    const refusalOf = (reset: string) => read(adapter, 429, fields('0', reset))[0]?.refusal;
    expect(refusalOf('30')).toEqual({ waitMs: 30_000, resource: 'default', hasDuration: true });
    expect(refusalOf('9999999')).toMatchObject({ waitMs: DAY_MS });
  });

  it.each([{}, fields('x', '30'), fields('5', ''), fields('5', '0')])('are none in %j', (headers) => {
    expect(read(adapter, 200, headers)[0]).toMatchObject({ limit: undefined, refusal: undefined });
  });

  it('take a 403 for a refusal of access', () => {
    expect(read(adapter, 403, fields('0', '30'))[0]?.refusal).toBeUndefined();
  });
});

describe('the fields of the IETF', () => {
  const policy = '"burst";q=50;w=60, "daily";q=1000;w=86400';

  it('are several limits in one answer', () => {
    const headers = { 'ratelimit-policy': policy, ratelimit: '"burst";r=5;t=10, "daily";r=900;t=3600' };
    expect(read(ietfLimits(), 200, headers)).toEqual([
      { resource: 'burst', limit: limitOf(50, 5, 10_000), refusal: undefined },
      { resource: 'daily', limit: limitOf(1_000, 900, 3_600_000), refusal: undefined },
    ]);
  });

  it('take the window of the policy where an item names no time, and are marked where it slides', () => {
    const [reading] = read(ietfLimits({ isSliding: true }), 200, {
      'ratelimit-policy': policy,
      ratelimit: '"burst";r=5',
    });
    expect(reading).toEqual({
      ...{ resource: 'burst', limit: limitOf(50, 5, 60_000), refusal: undefined, isSliding: true },
    });
  });

  it('are read in the form of the older drafts, as one limit', () => {
    const reading = (ratelimit: string, status = 200) => read(ietfLimits(), status, { ratelimit })[0];
    expect(reading('limit=60, remaining=12, reset=30')).toEqual({
      ...{ resource: 'default', limit: limitOf(60, 12, 30_000), refusal: undefined },
    });
    expect(reading('remaining=12,reset=30')?.limit).toEqual(limitOf(12, 12, 30_000));
    expect(reading('limit=60, remaining=0, reset=30', 429)?.refusal).toEqual({
      ...{ waitMs: 30_000, resource: 'default', hasDuration: true },
    });
  });

  it('hold the spent limit alone', () => {
    const headers = { 'ratelimit-policy': policy, ratelimit: '"burst";r=0;t=10, "daily";r=900;t=3600' };
    expect(read(ietfLimits(), 429, headers).map(({ refusal }) => refusal)).toEqual([
      { waitMs: 10_000, resource: 'burst', hasDuration: true },
      undefined,
    ]);
    expect(read(ietfLimits(), 429, { 'retry-after': '7' })).toEqual([
      { resource: 'default', limit: undefined, refusal: { waitMs: 7_000, resource: undefined, hasDuration: true } },
    ]);
  });

  it('that name an instant where seconds belong pause until then, and not for a day', () => {
    const ratelimit = `limit=50, remaining=0, reset=${NOW / 1_000 + 30}`;
    expect(read(ietfLimits(), 429, { ratelimit })[0]?.refusal?.waitMs).toBe(30_000);
  });

  it.each([
    '',
    'limit=100, remaining=50',
    'limit=100, remaining=-1, reset=5',
    'limit=100, remaining, reset=5',
    '"a";r=-1;t=5',
    '"a";r="x";t=5',
    '"a b";r=1;t=5',
    '"a";t=5',
    '("a");',
    '"\x01"',
  ])('are none in %j', (ratelimit) => {
    expect(read(ietfLimits(), 200, { ratelimit }).filter(({ limit }) => limit)).toEqual([]);
  });

  it('are eight at most', () => {
    const ratelimit = Array.from({ length: 100 }, (_, at) => `"l${at}";r=1;t=5`).join(', ');
    expect(read(ietfLimits(), 200, { ratelimit })).toHaveLength(8);
  });
});

describe('Retry-After alone', () => {
  it.each<[string, number, Record<string, string>, object | undefined]>([
    ['waits as long as it says', 429, { 'retry-after': '7' }, { waitMs: 7_000, hasDuration: true }],
    ['waits a minute without it', 429, {}, { waitMs: 60_000, hasDuration: false }],
    ['is nothing of a limit with another status', 503, { 'retry-after': '7' }, undefined],
    ['is nothing of a limit with success', 200, {}, undefined],
  ])('%s', (_what, status, headers, refusal) => {
    const [reading] = read(retryAfterLimits(), status, headers);
    if (refusal) expect(reading?.refusal).toMatchObject({ ...refusal, resource: undefined });
    else expect(reading).toBeUndefined();
  });

  it('may be a refusal with further statuses', () => {
    const [reading] = read(retryAfterLimits({ refusals: [429, 503] }), 503, { 'retry-after': '7' });
    expect(reading?.refusal).toMatchObject({ waitMs: 7_000 });
    expect(read(retryAfterLimits({ refusals: [429, 503] }), 503, {})).toEqual([]);
  });
});

describe('limits in the body', () => {
  const adapter = bodyLimits({
    read: (json, { status }, now) => {
      const { left, backoff } = json as { left?: number; backoff?: number };
      return [
        ...(left === undefined
          ? []
          : [{ resource: 'quota', limit: { limit: 300, remaining: left, resetAt: now + DAY_MS }, refusal: undefined }]),
        ...(backoff === undefined
          ? []
          : [
              {
                resource: 'method',
                limit: { limit: 1, remaining: 0, resetAt: now + backoff * 1_000 },
                refusal: undefined,
              },
            ]),
        ...(status === 400
          ? [
              {
                resource: 'quota',
                limit: undefined,
                refusal: { waitMs: 5_000, resource: undefined, hasDuration: true },
              },
            ]
          : []),
      ];
    },
  });
  const json = { 'content-type': 'application/json; charset=utf-8' };

  it('are what the definition reads of its JSON', () => {
    expect(
      read(adapter, 200, json, '{"left":12,"backoff":10}').map(({ resource, limit }) => [resource, limit]),
    ).toEqual([
      ['quota', limitOf(300, 12, DAY_MS)],
      ['method', limitOf(1, 0, 10_000)],
    ]);
    expect(read(adapter, 400, json, '{}')[0]?.refusal).toMatchObject({ waitMs: 5_000 });
  });

  it.each([undefined, '', '<html>', '{"left":'])('are none in %j, and a 429 is still one', (text) => {
    expect(read(adapter, 200, json, text)).toEqual([]);
    expect(read(adapter, 429, { ...json, 'retry-after': '3' }, text)[0]?.refusal).toMatchObject({ waitMs: 3_000 });
  });

  it('are looked for in JSON alone, up to a size', () => {
    const bytesOf = (type: string) => adapter.bodyBytesOf?.({ status: 200, field: () => type });
    expect([bytesOf('application/json'), bytesOf('text/html'), bytesOf('application/vnd.x+json')]).toEqual([
      1_048_576, 0, 1_048_576,
    ]);
  });
});

it('an upstream without limits has none in any answer', () => {
  expect(read(noLimits, 429, { 'retry-after': '9' })).toEqual([]);
  expect(noLimits.resourceOf?.('/a', 'GET')).toBeUndefined();
});
