import { gzipSync } from 'node:zlib';
import { textOfBody } from './stored-body';

const packed = (content: string | Buffer) => gzipSync(content).toString('base64');

it('takes text as it is, and unpacks what the cache keeps as gzip', async () => {
  await expect(textOfBody({ text: '{"a":1}', bytes: 7, truncated: false })).resolves.toBe('{"a":1}');
  await expect(textOfBody({ base64: packed('{"ü":1}'), bytes: 8, truncated: false })).resolves.toBe('{"ü":1}');
});

it('has no text of an image, of a part of a gzip stream, and of packed bytes that are no text', async () => {
  await expect(textOfBody({ base64: 'iVBORw0KGgo=', bytes: 8, truncated: false })).resolves.toBeUndefined();
  await expect(textOfBody({ base64: packed('x'.repeat(99)), bytes: 99, truncated: true })).resolves.toBeUndefined();
  await expect(textOfBody({ base64: packed('x').slice(0, 16), bytes: 1, truncated: false })).resolves.toBeUndefined();
  await expect(
    textOfBody({ base64: packed(Buffer.from([0xff, 0xfe])), bytes: 2, truncated: false }),
  ).resolves.toBeUndefined();
});
