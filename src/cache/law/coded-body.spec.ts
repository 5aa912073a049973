import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { isWholeCoding } from './coded-body';

const text = Buffer.from(
  JSON.stringify(Array.from({ length: 3_000 }, (_, at) => ({ id: at * 7_919, name: `n${at}` }))),
);
const field = (coding: string) => [['content-encoding', coding] as const];

describe.each<[string, Buffer]>([
  ['gzip', gzipSync(text)],
  ['x-gzip', gzipSync(text)],
  ['br', brotliCompressSync(text)],
  ['deflate', deflateSync(text)],
  ['deflate', deflateRawSync(text)],
  ['gzip, br', brotliCompressSync(gzipSync(text))],
  ['identity, GZIP', gzipSync(text)],
])('a body in %s', (coding, packed) => {
  it('is whole to its last byte', async () => {
    expect(await isWholeCoding(packed, field(coding))).toBe(true);
  });

  it.each([1, 4, 9, packed.length >> 1, packed.length - 3, packed.length])(
    'is not whole without its last %i',
    async (bytes) => {
      expect(await isWholeCoding(packed.subarray(0, packed.length - bytes), field(coding))).toBe(false);
    },
  );
});

it('gzip of several members, or with a byte that was changed', async () => {
  const packed = gzipSync(text);
  expect(await isWholeCoding(Buffer.concat([packed, packed]), field('gzip'))).toBe(true);
  const changed = Buffer.from(packed);
  changed[changed.length - 6]! ^= 1; // of its checksum
  expect(await isWholeCoding(changed, field('gzip'))).toBe(false);
});

it('says nothing against a body without coding, or in one that is not known', async () => {
  expect(await isWholeCoding(text, [])).toBe(true);
  expect(await isWholeCoding(text, field('identity'))).toBe(true);
  expect(await isWholeCoding(text, field('compress'))).toBe(true);
});

it('does not look a bomb through', async () => {
  const bomb = gzipSync(Buffer.alloc(300 * 1_048_576), { level: 1 });
  expect(await isWholeCoding(bomb, field('gzip'))).toBe(false);
});
