import fc from 'fast-check';
import { gzipSync } from 'node:zlib';
import type { CacheEntry } from '../model/cache-entry';
import { decodeEntry, decodeHead, encodeEntry, encodeHead, FORMAT_VERSION } from './entry-codec';
import { STATIC_FIELDS, STATIC_NAMES } from '../model/static-fields';

const full: CacheEntry = {
  id: 'dOJiu5lo6qEr',
  status: 200,
  headers: [
    ['content-type', 'application/json; charset=utf-8'],
    ['link', '<https://api.github.com/x?page=2>; rel="next"'],
    ['x-own', 'a'],
    ['etag', '"e1"'],
    ['last-modified', 'Mon, 23 Nov 2026 06:46:00 GMT'],
    ['date', 'Tue, 24 Nov 2026 11:43:52 GMT'],
    ['x-ratelimit-remaining', '59'],
    ['x-strong', `"${'0af1'.repeat(16)}"`],
    ['x-weak', `W/"${'0af1'.repeat(16)}"`],
  ],
  validators: { etag: '"e1"', lastModified: 'Mon, 23 Nov 2026 06:46:00 GMT' },
  upstream: 'github',
  tags: ['upstream:github', 'account:redis'],
  storedAt: 1_795_419_232_722,
  freshUntil: 1_795_422_832_722,
  staleWhileRevalidateMs: 60_000,
  staleIfErrorMs: 86_400_000,
  mustRevalidate: true,
  loadDurationMs: 226,
  etag: 'W/"K6LgGwvnhEOWmvhFS3t_7c1pN6U"',
  coding: 'identity',
  hitFlagName: 'cached',
  body: Buffer.from('{"username":"redis","repos":155}'),
};

const { hitFlagName: _none, ...unmarked } = full;
const variant: CacheEntry = {
  ...unmarked,
  headers: [],
  validators: {},
  tags: [],
  mustRevalidate: false,
  retainForRevalidationMs: 86_400_000,
  indexMark: 300,
  softPurgeMark: 70_000,
  coding: 'gzip',
  body: Buffer.from('1f8b0800000000000203ab00008316dc8c01000000', 'hex'),
};
const named: CacheEntry = { ...full, tags: ['account:redis', 'upstream:github'] };

/** Values as a release wrote them: of this version of the format they stay readable, whatever is appended to it. */
const RELEASED = {
  full: '644f4a6975356c6f36714572000000000000000118010d6163636f756e743a72656469733dc801d2b3cdbaa034d290a9bca034e0d40380b89929e2012006676974687562082265312203a8c28fd8063e572f224b364c674777766e68454f576d7668465333745f376331704e365522066361636865640901285a3c68747470733a2f2f6170692e6769746875622e636f6d2f783f706167653d323e3b2072656c3d226e657874220005782d6f776e0261220b260d1e03f8f095d80654093b0008782d7374726f6e67050af10af10af10af10af10af10af10af10af10af10af10af10af10af10af10af10006782d7765616b070af10af10af10af10af10af10af10af10af10af10af10af10af10af10af10af10000000000007b22757365726e616d65223a227265646973222c227265706f73223a3135357d',
  variant:
    '644f4a6975356c6f3671457200000001117000006000c201c801d2b3cdbaa034d290a9bca034e0d40380b89929e20115066769746875623e572f224b364c674777766e68454f576d7668465333745f376331704e36552280b89929ac020000001f8b0800000000000203ab00008316dc8c01000000',
  named:
    '644f4a6975356c6f36714572000000000000000128020d6163636f756e743a72656469730f757073747265616d3a6769746875621dc801d2b3cdbaa034d290a9bca034e0d40380b89929e2012006676974687562082265312203a8c28fd8063e572f224b364c674777766e68454f576d7668465333745f376331704e365522066361636865640901285a3c68747470733a2f2f6170692e6769746875622e636f6d2f783f706167653d323e3b2072656c3d226e657874220005782d6f776e0261220b260d1e03f8f095d80654093b0008782d7374726f6e67050af10af10af10af10af10af10af10af10af10af10af10af10af10af10af10af10006782d7765616b070af10af10af10af10af10af10af10af10af10af10af10af10af10af10af10af10000000000007b22757365726e616d65223a227265646973222c227265706f73223a3135357d',
};

describe('the stored format', () => {
  it('is v4 and is written as it was released', () => {
    expect(FORMAT_VERSION).toBe('v4');
    expect(encodeEntry(full).toString('hex')).toBe(RELEASED.full);
    expect(encodeEntry(variant).toString('hex')).toBe(RELEASED.variant);
    expect(encodeEntry(named, '', true).toString('hex')).toBe(RELEASED.named);
  });

  it('reads what was written when it was released', () => {
    expect(decodeEntry(Buffer.from(RELEASED.full, 'hex'))).toEqual(full);
    expect(decodeEntry(Buffer.from(RELEASED.variant, 'hex'))).toEqual(variant);
    expect(decodeEntry(Buffer.from(RELEASED.named, 'hex'))).toEqual(named);
  });

  it('reads a dictionary that has grown since: appending to one list keeps the numbers of the other', () => {
    const value = encodeEntry(full);
    const lists: unknown[][] = [STATIC_FIELDS as unknown[], STATIC_NAMES as unknown[]];
    const added = [['x-later', 'a field'], 'x-later-name'];
    lists.forEach((list, at) => list.push(added[at]));
    try {
      expect(decodeEntry(value)).toEqual(full);
    } finally {
      for (const list of lists) list.pop();
    }
  });

  it('keeps the order of its dictionary', () => {
    const dictionary = [...STATIC_FIELDS.map(([name, value]) => `${name}: ${value.slice(0, 40)}`), ...STATIC_NAMES];
    expect(dictionary).toMatchInlineSnapshot(`
      [
        "content-type: application/json; charset=utf-8",
        "content-type: application/problem+json; charset=utf-8",
        "content-type: text/plain; charset=utf-8",
        "content-type: text/html; charset=utf-8",
        "content-type: application/octet-stream",
        "server: github.com",
        "cache-control: public, max-age=60, s-maxage=60",
        "cache-control: private, max-age=60, s-maxage=60",
        "cache-control: no-cache",
        "vary: Accept, Accept-Encoding, Accept, X-Reque",
        "vary: Accept,Accept-Encoding, Accept, X-Reques",
        "vary: Accept, Authorization, Cookie, X-GitHub-",
        "x-github-media-type: github.v3; format=json",
        "x-github-api-version-selected: 2022-11-28",
        "access-control-expose-headers: ETag, Link, Location, Retry-After, X-Git",
        "access-control-allow-origin: *",
        "strict-transport-security: max-age=31536000; includeSubdomains; pre",
        "x-frame-options: deny",
        "x-content-type-options: nosniff",
        "x-xss-protection: 0",
        "referrer-policy: origin-when-cross-origin, strict-origin-",
        "content-security-policy: default-src 'none'",
        "x-ratelimit-resource: core",
        "x-ratelimit-limit: 60",
        "x-ratelimit-limit: 5000",
        "accept-ranges: bytes",
        "content-encoding: gzip",
        "transfer-encoding: chunked",
        "accept-ranges",
        "access-control-allow-origin",
        "access-control-expose-headers",
        "age",
        "allow",
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-length",
        "content-location",
        "content-range",
        "content-security-policy",
        "content-type",
        "date",
        "deprecation",
        "etag",
        "expires",
        "last-modified",
        "link",
        "location",
        "referrer-policy",
        "retry-after",
        "server",
        "set-cookie",
        "sunset",
        "strict-transport-security",
        "vary",
        "via",
        "warning",
        "x-accepted-github-permissions",
        "x-accepted-oauth-scopes",
        "x-content-type-options",
        "x-frame-options",
        "x-github-api-version-selected",
        "x-github-media-type",
        "x-github-request-id",
        "x-oauth-scopes",
        "x-oauth-client-id",
        "x-poll-interval",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "x-ratelimit-resource",
        "x-ratelimit-used",
        "x-xss-protection",
        "github-authentication-token-expiration",
        "accept",
        "accept-encoding",
        "accept-language",
        "authorization",
        "cookie",
        "origin",
        "user-agent",
        "x-github-api-version",
        "x-github-otp",
        "x-requested-with",
      ]
    `);
  });

  it('gives back what was stored', () => {
    expect(decodeEntry(encodeEntry(full))).toEqual(full);
    const packed: CacheEntry = { ...full, coding: 'gzip', body: gzipSync('x'.repeat(2_000)) };
    expect(decodeEntry(encodeEntry(packed))).toEqual(packed);
  });

  it('takes a soft purge in place', () => {
    const value = encodeEntry(full);
    value.write('AAAAAAAAAAAA', 0, 'latin1');
    value.writeUIntBE(300, 12, 6);
    expect(decodeEntry(value)).toEqual({ ...full, id: 'AAAAAAAAAAAA', softPurgeMark: 300 });
    expect(decodeEntry(encodeEntry({ ...full, softPurgeMark: 5 }))).toEqual({ ...full, softPurgeMark: 5 });
  });

  it('takes a shorter head in the place of a longer one', () => {
    const value = encodeEntry(full);
    const next = { ...full, id: 'AAAAAAAAAAAA', headers: [] };
    const head = encodeHead(next);
    const room = value.readUIntBE(18, 3);
    value.fill(0, 0, room);
    head.copy(value);
    value.writeUIntBE(room, 18, 3);
    expect(decodeEntry(value)).toEqual(next);
  });

  it('gives back values that nearly have a shorter form', () => {
    const hash = '0af1'.repeat(16);
    const values = [
      ...[
        `"${hash.toUpperCase()}"`,
        `"${hash}a"`,
        `w/"${hash}"`,
        hash,
        ` "${hash}"`,
        `"${hash}" `,
        `"${hash}", "${hash}"`,
      ],
      ...['007', '-1', '+1', '1.0', '1e3', ' 1', '9007199254740993', '999999999999999', '0', ''],
      ...['Tue, 24 Nov 2026 11:43:52 UTC', 'Mon, 24 Nov 2026 11:43:52 GMT', 'Tuesday, 24-Nov-26 11:43:52 GMT'],
      ...['Tue, 24 Nov 2026 24:43:52 GMT', 'Thu, 01 Jan 1970 00:00:00 GMT', 'Wed, 31 Dec 1969 23:59:59 GMT'],
      ...['Fri, 31 Dec 9999 23:59:59 GMT', 'tue, 24 nov 2026 11:43:52 gmt', '"e1"', 'W/"e1"'],
    ];
    const entry: CacheEntry = { ...full, headers: values.map((value) => ['x', value]) };
    expect(decodeEntry(encodeEntry(entry))).toEqual(entry);
    for (const value of values) {
      const named: CacheEntry = { ...full, validators: { etag: value, lastModified: value }, etag: value };
      expect(decodeEntry(encodeEntry(named))).toEqual(named);
    }
  });

  it('keeps what GitHub sends with each answer in few bytes', () => {
    const etag = `W/"${'0af1'.repeat(16)}"`;
    const lastModified = 'Mon, 23 Nov 2026 06:46:00 GMT';
    const validators = { etag, lastModified };
    const known = encodeHead({ ...full, validators, etag, headers: [] }).length;
    const headers: [string, string][] = [
      ...([
        ['etag', etag],
        ['last-modified', lastModified],
        ['date', lastModified],
      ] as [string, string][]),
      ...([
        ['x-ratelimit-reset', '1795524233'],
        ['content-length', '1199'],
      ] as [string, string][]),
    ];
    expect(encodeHead({ ...full, validators, etag, headers }).length - known).toBeLessThanOrEqual(32);
  });

  it('gives back any entry', () => {
    const text = fc.string({ unit: fc.constantFrom('a', '"', '\\', ',', '\u00e9', ' ', '0', '1') });
    const name = fc.oneof(text, fc.constantFrom(...STATIC_NAMES));
    const instant = fc.integer({ min: 0, max: 1e13 });
    const entries = fc.record({
      status: fc.integer({ min: 200, max: 599 }),
      headers: fc.array(fc.oneof(fc.tuple(name, text), fc.constantFrom(...STATIC_FIELDS))),
      tags: fc.array(text),
      validators: fc.record({ etag: text, lastModified: text }, { requiredKeys: [] }),
      mustRevalidate: fc.boolean(),
      storedAt: instant,
      freshUntil: instant,
      staleWhileRevalidateMs: instant,
      staleIfErrorMs: instant,
      retainForRevalidationMs: instant,
      loadDurationMs: instant,
      etag: text,
      body: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    });
    fc.assert(
      fc.property(entries, (fields) => {
        const entry = { ...full, ...fields } as CacheEntry;
        expect(decodeEntry(encodeEntry(entry))).toEqual(entry);
      }),
    );
  });
});

describe('garbage in Redis', () => {
  const good = encodeEntry(full);
  const changed = (change: (bytes: Buffer) => void): Buffer => {
    const bytes = Buffer.from(good);
    change(bytes);
    return bytes;
  };
  const withFields = (fields: Partial<CacheEntry>) => encodeEntry({ ...full, ...fields });
  it.each([
    ['nothing', Buffer.alloc(0)],
    ['a text', Buffer.from('hello')],
    ['a truncated value', good.subarray(0, -5)],
    ['a truncated head', good.subarray(0, 40)],
    ['zeros', Buffer.alloc(1_000)],
    ['ones', Buffer.alloc(1_000, 255)],
    ['an id of other characters', changed((bytes) => bytes.write('"><script>..', 0))],
    ['a head longer than the value', changed((bytes) => bytes.writeUIntBE(100_000, 18, 3))],
    ['a head that begins in itself', changed((bytes) => bytes.writeUIntBE(3, 18, 3))],
    ['a status that is none', withFields({ status: 99 })],
    ['a header with a line break', withFields({ headers: [['x', 'a\r\nset-cookie: b']] })],
    ['a tag with a control character', withFields({ tags: ['a\u0000'] })],
    ['more metadata than there ever is', withFields({ upstream: 'x'.repeat(300_000) })],
    ['a body that is not gzip', withFields({ coding: 'gzip' })],
    ['more body than is said', Buffer.concat([good, Buffer.from('x')])],
  ])('is no entry: %s', (_name, value) => {
    expect(decodeEntry(value)).toBeUndefined();
  });

  it('is never an exception, nor more than was there', () => {
    const bytes = fc.uint8Array({ maxLength: 400 }).map((array) => Buffer.from(array));
    const head = encodeHead(full);
    const flipped = fc.tuple(fc.nat(head.length - 1), fc.nat(255)).map(([at, byte]) => {
      const value = encodeEntry(full);
      value[at] = byte;
      return value;
    });
    fc.assert(
      fc.property(fc.oneof(bytes, flipped), (value) => {
        decodeHead(value);
        expect(decodeEntry(value)?.body.length ?? 0).toBeLessThanOrEqual(value.length);
      }),
      { numRuns: 2_000 },
    );
  });
});
