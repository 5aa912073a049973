import fc from 'fast-check';
import type { CacheEntry } from './cache-entry';
import { decodeEntry, decodeMetadata, encodeMetadata, FORMAT_VERSION } from './entry-codec';

const full: CacheEntry = {
  id: 'dOJiu5lo6qEr',
  status: 200,
  headers: [
    ['content-type', 'application/json; charset=utf-8'],
    ['link', '<https://api.github.com/x?page=2>; rel="next"'],
  ],
  validators: { etag: '"e1"', lastModified: 'Mon, 23 Nov 2026 06:46:00 GMT' },
  upstream: 'github',
  tags: ['upstream:github', 'account:redis'],
  storedAt: 1_795_419_232_722,
  freshUntil: 1_795_422_832_722,
  swrMs: 60_000,
  sieMs: 86_400_000,
  mustRevalidate: true,
  loadMs: 226,
  etag: 'W/"K6LgGwvnhEOWmvhFS3t_7c1pN6U"',
  marker: 'cached',
  body: Buffer.from('{"username":"redis","repos":155}'),
};

const decode = (metadata: string | Buffer, body = full.body, staledAt?: string) =>
  decodeEntry(full.id, Buffer.from(metadata), body, staledAt);

describe('the stored format', () => {
  it('is v1 and reads as it was released', () => {
    expect(FORMAT_VERSION).toBe('v1');
    expect(encodeMetadata(full)).toMatchInlineSnapshot(
      `"{"s":200,"h":[["content-type","application/json; charset=utf-8"],["link","<https://api.github.com/x?page=2>; rel=\\"next\\""]],"e":"\\"e1\\"","l":"Mon, 23 Nov 2026 06:46:00 GMT","u":"github","t":["upstream:github","account:redis"],"a":1795419232722,"f":1795422832722,"w":60000,"i":86400000,"r":1,"d":226,"g":"W/\\"K6LgGwvnhEOWmvhFS3t_7c1pN6U\\"","k":"cached","n":32}"`,
    );
  });

  it('gives back what was stored', () => {
    expect(decode(encodeMetadata(full))).toEqual(full);
    expect(decode(encodeMetadata(full), full.body, '1795419232999')).toEqual({ ...full, staledAt: 1_795_419_232_999 });
  });

  it('gives back any entry', () => {
    const text = fc.string({ unit: fc.constantFrom('a', '"', '\\', ',', '\u00e9', ' ') });
    const instant = fc.integer({ min: 0, max: 1e13 });
    const entries = fc.record({
      status: fc.integer({ min: 200, max: 599 }),
      headers: fc.array(fc.tuple(text, text)),
      tags: fc.array(text),
      storedAt: instant,
      freshUntil: instant,
      swrMs: instant,
      sieMs: instant,
      loadMs: instant,
      etag: text,
      body: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    });
    fc.assert(
      fc.property(entries, (fields) => {
        const entry: CacheEntry = { ...full, ...fields };
        expect(decode(encodeMetadata(entry), entry.body)).toEqual(entry);
      }),
    );
  });
});

describe('garbage in Redis', () => {
  const good = JSON.parse(encodeMetadata(full)) as Record<string, unknown>;
  it.each([
    ['nothing', ''],
    ['a truncated value', encodeMetadata(full).slice(0, -5)],
    ['another type', '"text"'],
    ['null', 'null'],
    ['an array', '[]'],
    ['a missing field', JSON.stringify({ ...good, s: undefined })],
    ['a status that is none', JSON.stringify({ ...good, s: 99 })],
    ['a header with a line break', JSON.stringify({ ...good, h: [['x', 'a\r\nset-cookie: b']] })],
    ['headers that are no pairs', JSON.stringify({ ...good, h: [['x']] })],
    ['a negative time', JSON.stringify({ ...good, f: -1 })],
    ['a time that is no number', JSON.stringify({ ...good, f: '1' })],
    ['deeply nested arrays', '['.repeat(200_000)],
    ['more metadata than there ever is', JSON.stringify({ ...good, u: 'x'.repeat(300_000) })],
  ])('is no entry: %s', (_name, metadata) => {
    expect(decode(metadata)).toBeUndefined();
  });

  it('is no entry: a body of another length', () => {
    expect(decode(encodeMetadata(full), full.body.subarray(1))).toBeUndefined();
  });

  it('cannot reach a prototype', () => {
    const entry = decode(encodeMetadata(full).replace('{', '{"__proto__":{"polluted":1},'));
    expect(entry).toEqual(full);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('is never an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.string(), (bytes, id) => {
        decodeMetadata(id, Buffer.from(bytes));
      }),
    );
  });
});
