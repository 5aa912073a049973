import type { HeaderList } from '../model/cache-entry';
import { responsePolicy, type CacheKind, type ResponseFacts } from './response-policy';

const NOW = Date.UTC(2026, 10, 23, 12);
const date = (offsetSeconds: number): string => new Date(NOW + offsetSeconds * 1_000).toUTCString();

interface Case {
  readonly status?: number;
  readonly kind?: CacheKind;
  readonly hasAuthorization?: boolean;
  readonly isNoStore?: boolean;
}

function policy(headers: HeaderList, { status = 200, kind = 'shared', ...request }: Case = {}) {
  const response: ResponseFacts = { status, headers, requestedAt: NOW, receivedAt: NOW };
  return responsePolicy(response, kind, { hasAuthorization: false, isNoStore: false, ...request });
}

const control = (value: string): HeaderList => [['cache-control', value]];

describe('what may be stored (RFC 9111 §3)', () => {
  it.each<[string, HeaderList, Case, boolean]>([
    ['200 that says nothing', [], {}, true],
    ['200 with max-age', control('max-age=60'), {}, true],
    ['no-store', control('max-age=60, no-store'), {}, false],
    ['no-store with must-understand (§5.2.2.3)', control('max-age=60, no-store, must-understand'), {}, true],
    ['the request says no-store', control('max-age=60'), { isNoStore: true }, false],
    ['private', control('private, max-age=60'), {}, false],
    ['private, for one caller', control('private, max-age=60'), { kind: 'private' }, true],
    ['private for some fields', control('private="x-a", max-age=60'), {}, true],
    ['no-cache', control('no-cache'), {}, true],
    ['Vary: *', [['vary', '*'], ...control('max-age=60')], {}, false],
    ['Authorization', control('max-age=60'), { hasAuthorization: true }, false],
    ['Authorization, public (§3.5)', control('public, max-age=60'), { hasAuthorization: true }, true],
    ['Authorization, s-maxage', control('s-maxage=60'), { hasAuthorization: true }, true],
    ['Authorization, must-revalidate', control('max-age=60, must-revalidate'), { hasAuthorization: true }, true],
    ['Authorization, for one caller', control('max-age=60'), { hasAuthorization: true, kind: 'private' }, true],
    ['206', control('max-age=60'), { status: 206 }, false],
    ['304', control('max-age=60'), { status: 304 }, false],
    ['302 that says nothing', [], { status: 302 }, false],
    ['302 with max-age', control('max-age=60'), { status: 302 }, true],
    ['302 with Expires', [['expires', date(60)]], { status: 302 }, true],
    ['404 that says nothing', [], { status: 404 }, true],
    ['451 that says nothing (RFC 7725 §3)', [], { status: 451 }, true],
    ['500 that says nothing', [], { status: 500 }, false],
    ['500 with public', control('public'), { status: 500 }, true],
    ['599 with max-age', control('max-age=60'), { status: 599 }, true],
    ['s-maxage on 302, for one caller', control('s-maxage=60'), { status: 302, kind: 'private' }, false],
  ])('%s', (_name, headers, more, isStorable) => {
    expect(policy(headers, more).isStorable).toBe(isStorable);
  });
});

describe('the freshness lifetime (RFC 9111 §4.2.1)', () => {
  it.each<[string, HeaderList, Case, number]>([
    ['max-age', control('max-age=60'), {}, 60],
    ['s-maxage over max-age', control('max-age=60, s-maxage=10'), {}, 10],
    ['s-maxage is not for one caller', control('max-age=60, s-maxage=10'), { kind: 'private' }, 60],
    ['s-maxage over max-age that is no number', control('max-age=x, s-maxage=10'), {}, 10],
    ['max-age over Expires', [...control('max-age=60'), ['expires', date(10)]], {}, 60],
    [
      'Expires from Date',
      [
        ['expires', date(70)],
        ['date', date(10)],
      ],
      {},
      60,
    ],
    ['Expires without Date', [['expires', date(60)]], {}, 60],
    ['Expires of the past', [['expires', date(-60)]], {}, 0],
    [
      'Expires: 0',
      [
        ['expires', '0'],
        ['last-modified', date(-1_000)],
      ],
      {},
      0,
    ],
    [
      'two Expires: the first',
      [
        ['expires', date(10)],
        ['expires', date(60)],
      ],
      {},
      10,
    ],
    ['no-cache', control('no-cache, max-age=60'), {}, 0],
    ['no-cache for some fields', control('no-cache="x-a", max-age=60'), {}, 60],
    ['max-age that is no number', control('max-age=sixty'), {}, 0],
    ['a tenth of its age', [['last-modified', date(-1_000)]], {}, 100],
    ['a tenth, but a week at most', [['last-modified', date(-100_000_000)]], {}, 604_800],
    ['Last-Modified of the future', [['last-modified', date(1_000)]], {}, 0],
    ['nothing at all', [], {}, 0],
    ['heuristics only where the status allows', [['last-modified', date(-1_000)]], { status: 500 }, 0],
    ['or public does', [['last-modified', date(-1_000)], ...control('public')], { status: 500 }, 100],
    [
      'CDN-Cache-Control over Cache-Control (RFC 9213)',
      [['cdn-cache-control', 'max-age=5'], ...control('max-age=60')],
      {},
      5,
    ],
    [
      'CDN-Cache-Control over Expires',
      [
        ['cdn-cache-control', 'max-age=5'],
        ['expires', date(60)],
      ],
      {},
      5,
    ],
    [
      'CDN-Cache-Control that cannot be read',
      [['cdn-cache-control', 'max-age=5, &&&'], ...control('max-age=60')],
      {},
      60,
    ],
    ['CDN-Cache-Control that is empty', [['cdn-cache-control', ''], ...control('max-age=60')], {}, 60],
    [
      'CDN-Cache-Control is not for one caller',
      [['cdn-cache-control', 'max-age=5'], ...control('max-age=60')],
      { kind: 'private' },
      60,
    ],
  ])('%s', (_name, headers, more, seconds) => {
    expect(policy(headers, more).lifetimeMs).toBe(seconds * 1_000);
  });

  it('forbids storing by CDN-Cache-Control: no-store', () => {
    expect(policy([['cdn-cache-control', 'no-store'], ...control('max-age=60')]).isStorable).toBe(false);
    expect(policy([['cdn-cache-control', 'max-age=60'], ...control('no-store')]).isStorable).toBe(true);
  });
});

describe('the age (RFC 9111 §4.2.3)', () => {
  const age = (headers: HeaderList, delayMs = 0): number => {
    const response = { status: 200, headers, requestedAt: NOW - delayMs, receivedAt: NOW };
    return NOW - responsePolicy(response, 'shared', { hasAuthorization: false, isNoStore: false }).generatedAt;
  };

  it.each<[string, HeaderList, number, number]>([
    ['is none of a new response', [['date', date(0)]], 0, 0],
    ['is what Date tells', [['date', date(-30)]], 0, 30_000],
    ['is never negative', [['date', date(3_600)]], 0, 0],
    [
      'is what Age tells',
      [
        ['age', '30'],
        ['date', date(0)],
      ],
      0,
      30_000,
    ],
    [
      'is the greater of both',
      [
        ['age', '10'],
        ['date', date(-30)],
      ],
      0,
      30_000,
    ],
    ['counts the time of the way', [['age', '30']], 2_000, 32_000],
    ['takes the first of two values', [['age', '10, 20']], 0, 10_000],
    [
      'takes the first of two lines',
      [
        ['age', '10'],
        ['age', '20'],
      ],
      0,
      10_000,
    ],
    ['ignores what is no number', [['age', 'ten']], 0, 0],
    ['ignores a negative number', [['age', '-10']], 0, 0],
    ['is clamped', [['age', '99999999999999']], 0, 2_147_483_648_000],
  ])('%s', (_name, headers, delayMs, expected) => {
    expect(age(headers, delayMs)).toBe(expected);
  });
});

describe('stale use', () => {
  it.each<[string, CacheKind, boolean]>([
    ['max-age=1', 'shared', false],
    ['max-age=1, must-revalidate', 'shared', true],
    ['max-age=1, must-revalidate', 'private', true],
    ['max-age=1, proxy-revalidate', 'shared', true],
    ['max-age=1, proxy-revalidate', 'private', false],
    ['s-maxage=1', 'shared', true],
    ['s-maxage=1, max-age=1', 'private', false],
    ['no-cache', 'shared', true],
    ['no-cache="x-a", max-age=1', 'shared', false],
  ])('%s in a %s cache is forbidden: %j', (value, kind, isForbidden) => {
    expect(policy(control(value), { kind }).revalidation !== 'none').toBe(isForbidden);
  });

  it('is allowed as RFC 5861 says', () => {
    const { staleWhileRevalidateMs, staleIfErrorMs } = policy(
      control('max-age=1, stale-while-revalidate=10, stale-if-error=20'),
    );
    expect([staleWhileRevalidateMs, staleIfErrorMs]).toEqual([10_000, 20_000]);
    expect(policy(control('max-age=1')).staleIfErrorMs).toBeUndefined();
  });

  it.each<[string, boolean, readonly string[]]>([
    ['private="x-secret", max-age=60', true, ['x-secret']],
    ['max-age=60, no-cache="X-A, x-b"', true, ['x-a', 'x-b']],
    ['no-cache="x-a", private="x-secret";y=1, max-age=60', true, ['x-a', 'x-secret']],
    ['private=x-secret, max-age=60', true, ['x-secret']],
    ['private=("x-secret"), max-age=60', false, []],
    ['private=1, max-age=60', false, []],
    ['private=:eA==:, max-age=60', false, []],
    ['private="", max-age=60', false, []],
    ['no-store="x-secret", max-age=60', false, []],
    ['no-store=1.5, max-age=60', false, []],
    ['private=?0, max-age=60', true, []],
  ])('CDN-Cache-Control: %s is storable %j without %j', (value, isStorable, strippedHeaders) => {
    const told = policy([['cdn-cache-control', value], ...control('no-store')]);
    expect([told.isStorable, told.strippedHeaders]).toEqual([isStorable, strippedHeaders]);
  });

  it('validates each use where the argument of no-cache in CDN-Cache-Control is unreadable', () => {
    const told = policy([['cdn-cache-control', 'no-cache=7, max-age=60']]);
    expect([told.revalidation, told.lifetimeMs]).toEqual(['always', 0]);
  });

  it('takes no number of CDN-Cache-Control from a string', () => {
    expect(policy([['cdn-cache-control', 'max-age="60", public']]).lifetimeMs).toBe(0);
  });

  it('leaves out the fields that are for one caller or for one use', () => {
    expect(policy(control('max-age=1, private="a, B", no-cache="c"')).strippedHeaders).toEqual(['c', 'a', 'b']);
    expect(policy(control('max-age=1, private="a"'), { kind: 'private' }).strippedHeaders).toEqual([]);
  });
});
