import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import type { CacheEntry } from '../cache';
import { readBody } from './entry-body';

const text = JSON.stringify({ name: 'ä'.repeat(2_000) });
const entryOf = (body: Buffer, coding: string): CacheEntry => ({
  ...{ id: 'a'.repeat(12), status: 200, validators: {}, upstream: 'github', tags: [], etag: '' },
  ...{
    storedAt: 0,
    freshUntil: 1,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: 0,
    mustRevalidate: false,
    loadDurationMs: 0,
    coding: 'identity',
    body,
  },
  headers: [
    ['content-type', 'application/json'],
    ['content-encoding', coding],
  ],
});

it.each([
  ['gzip', gzipSync(text)],
  ['X-GZIP', gzipSync(text)],
  ['br', brotliCompressSync(text)],
  ['deflate', deflateSync(text)],
])('shows the text of a body that the upstream has sent in %s', async (coding, packed) => {
  expect(await readBody(entryOf(packed, coding))).toEqual({ text, bytes: Buffer.byteLength(text), truncated: false });
});

it.each([
  ['a coding that is not known', 'zstd', Buffer.from(text)],
  ['bytes that are not what the coding says', 'gzip', Buffer.from(text)],
  ['a body that unpacks to more than is looked at', 'gzip', gzipSync(Buffer.alloc(80_000_000), { level: 1 })],
])('shows the bytes of %s', async (_what, coding, body) => {
  const shown = await readBody(entryOf(body, coding));
  expect(shown).toMatchObject({ bytes: body.length });
  expect(shown.base64).toBe(body.subarray(0, 262_144).toString('base64'));
});
