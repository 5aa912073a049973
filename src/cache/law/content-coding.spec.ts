import { randomBytes } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { acceptsGzip, gzipTag, identityBody, identityLength, codedForStorage } from './content-coding';
import type { HeaderList } from '../model/cache-entry';

const json: HeaderList = [['content-type', 'application/json; charset=utf-8']];
const long = Buffer.from(JSON.stringify({ text: 'abc '.repeat(1_000) }));

describe('Accept-Encoding (RFC 9110 §12.5.3)', () => {
  it.each([
    [undefined, false],
    ['', false],
    ['gzip', true],
    ['GZIP', true],
    ['x-gzip', true],
    ['gzip, deflate, br', true],
    ['br;q=1.0, gzip;q=0.5', true],
    ['gzip;q=0', false],
    ['gzip;q=0.000', false],
    ['gzip; q=0.001', true],
    ['gzip;q=0.0000', false],
    ['gzip;q=.0', false],
    ['gzip;q=1.5', false],
    ['gzip;q', false],
    ['gzip;q=1.', true],
    ['*', true],
    ['*;q=0', false],
    ['gzip;q=0, *', false],
    ['identity, gzip;q=0.5', false],
    ['gzip;q=0.5, identity;q=0.5', true],
    ['identity;q=0, gzip;q=0.1', true],
    ['identity;q=0.5, *;q=0.1', false],
    ['identity;q=0.5, *', true],
    ['identity;q=0', false],
    ['identity', false],
    ['deflate', false],
    ['gzipped', false],
  ])('%j takes gzip: %j', (field, takes) => {
    expect(acceptsGzip(field)).toBe(takes);
    expect(acceptsGzip(field)).toBe(takes);
  });
});

describe('the form in which a body is kept', () => {
  it('is gzip for text over 1 kB', async () => {
    const kept = await codedForStorage(long, json);
    expect(kept.coding).toBe('gzip');
    expect(gunzipSync(kept.body)).toEqual(long);
    expect(identityLength(kept)).toBe(long.length);
    expect(await identityBody(kept)).toEqual(long);
  });

  it('is gzip for what takes a thread', async () => {
    const body = Buffer.from('abcd'.repeat(100_000));
    const kept = await codedForStorage(body, json);
    expect(kept.coding).toBe('gzip');
    expect(await identityBody(kept)).toEqual(body);
  });

  it.each<[string, Buffer, HeaderList]>([
    ['a short body', Buffer.alloc(1_024, 'a'), json],
    ['no text', long, [['content-type', 'image/png']]],
    ['no type', long, []],
    ['a body that has a coding already', gzipSync(randomBytes(3_000)), [...json, ['content-encoding', 'gzip']]],
    ['a body that must not be transformed', long, [...json, ['cache-control', 'public, no-transform']]],
    ['a body that does not get smaller', randomBytes(3_000), json],
  ])('is the body itself: %s', async (_name, body, headers) => {
    expect(await codedForStorage(body, headers)).toEqual({ body, coding: 'identity' });
  });
});

describe('a stored body that is not what it says', () => {
  const unpack = async (body: Buffer) => identityBody({ body, coding: 'gzip' });

  it('is refused: no gzip', async () => {
    await expect(unpack(Buffer.alloc(100, 1))).rejects.toThrow();
  });

  it('is refused: a bomb that says it is small', async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    bomb.writeUInt32LE(100, bomb.length - 4);
    await expect(unpack(bomb)).rejects.toMatchObject({ code: 'ERR_BUFFER_TOO_LARGE' });
  });
});

describe('the entity tag of the gzip form', () => {
  it.each([
    ['"a"', '"a-gzip"'],
    ['W/"a"', 'W/"a"'],
  ])('of %s is %s', (etag, tag) => {
    expect(gzipTag(etag)).toBe(tag);
  });
});
