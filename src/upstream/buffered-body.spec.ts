import { PassThrough } from 'node:stream';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import type { BodySource } from '../cache';
import { bufferSmallBody } from './buffered-body';

const LIMITS = { maxBytes: 10, maxMs: 60_000 };

async function read(body: BodySource): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

describe('a peek into a body', () => {
  it('shows all of a small one, and leaves it to its reader', async () => {
    const source = new PassThrough();
    source.write('small');
    source.end();
    const { text, body } = await bufferSmallBody(source, undefined, LIMITS);
    expect([text, await read(body)]).toEqual(['small', 'small']);
  });

  it('unpacks what it shows, not what it leaves', async () => {
    const packed = gzipSync('packed');
    const { text, body } = await bufferSmallBody(new PassThrough().end(packed), 'gzip', { ...LIMITS, maxBytes: 100 });
    const chunks: Buffer[] = [];
    for await (const chunk of body) chunks.push(chunk);
    expect([text, Buffer.concat(chunks)]).toEqual(['packed', packed]);
    for (const [coding, coded] of [
      ['br', brotliCompressSync('packed')],
      ['deflate', deflateSync('packed')],
    ] as const)
      expect((await bufferSmallBody(new PassThrough().end(coded), coding, { ...LIMITS, maxBytes: 100 })).text).toBe(
        'packed',
      );
    const bomb = gzipSync('x'.repeat(100_000));
    expect(
      (await bufferSmallBody(new PassThrough().end(bomb), 'gzip', { ...LIMITS, maxBytes: 1_000 })).text,
    ).toBeUndefined();
    const garbled = await bufferSmallBody(new PassThrough().end('no gzip'), 'gzip', LIMITS);
    expect([garbled.text, await read(garbled.body)]).toEqual([undefined, 'no gzip']);
  });

  it('shows nothing of a large one', async () => {
    const source = new PassThrough();
    source.write('large, ');
    source.write('larger, ');
    const { text, body } = await bufferSmallBody(source, undefined, LIMITS);
    source.end('largest');
    expect([text, await read(body)]).toEqual([undefined, 'large, larger, largest']);
  });

  it('shows nothing of one that takes too long', async () => {
    const source = new PassThrough();
    source.write('slow');
    const { text, body } = await bufferSmallBody(source, undefined, { ...LIMITS, maxMs: 1 });
    source.end('er');
    expect([text, await read(body)]).toEqual([undefined, 'slower']);
  });

  it('leaves it to the reader to find one broken', async () => {
    const source = new PassThrough();
    source.write('half');
    setImmediate(() => source.destroy(new Error('broken')));
    const { text, body } = await bufferSmallBody(source, undefined, LIMITS);
    expect(text).toBeUndefined();
    await expect(read(body)).rejects.toThrow('broken');
  });

  it('stops the source with its reader', async () => {
    const [one, other] = [new PassThrough(), new PassThrough()];
    for (const source of [one, other]) source.write('larger than ten');
    (await bufferSmallBody(one, undefined, LIMITS)).body.destroy();
    const iterator = (await bufferSmallBody(other, undefined, LIMITS)).body[Symbol.asyncIterator]();
    await iterator.next();
    await iterator.return?.();
    expect([one.destroyed, other.destroyed]).toEqual([true, true]);
  });
});
