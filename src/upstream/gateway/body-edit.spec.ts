import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import type { HeaderList, StreamedAnswer } from '../../cache';
import { BodyEdit, withoutDates } from './body-edit';

const edit = (to: string) => new BodyEdit({ urls: [['https://api.example', to]], isUrl: (name) => name === 'url' });
const [ours, others] = [edit('http://one.example'), edit('http://two.example')];
const tagOf = (by: BodyEdit, etag: string): string => by.fields(200, [['etag', etag]])[0]?.[1] ?? '';
const TYPE = ['content-type', 'application/json; charset=utf-8'] as const;
const BODY = '{"url":"https://api.example/x"}';
const EDITED = '{"url":"http://one.example/x"}';

async function sent(headers: HeaderList, body: StreamedAnswer['body'], status = 200, isHead = false) {
  const facts = { kind: 'streamed', outcome: 'BYPASS', tier: 'upstream' } as const;
  const answer = ours.streamed({ ...facts, status, headers, body }, isHead);
  const chunks: Buffer[] = [];
  for await (const chunk of Buffer.isBuffer(answer.body) ? [answer.body] : answer.body) chunks.push(chunk);
  return { headers: answer.headers, text: Buffer.concat(chunks).toString() };
}

function bytewise(body: Buffer): AsyncIterable<Buffer> {
  return (async function* () {
    for (let at = 0; at < body.length; at++) yield await Promise.resolve(body.subarray(at, at + 1));
  })();
}

describe('entity tags of edited bodies', () => {
  it('differ from the upstream’s and between addresses, and stay weak or strong', () => {
    expect(tagOf(ours, '"a"')).toMatch(/^"a-[\w-]{8}"$/);
    expect(tagOf(ours, 'W/"a"')).toMatch(/^W\/"a-[\w-]{8}"$/);
    expect(tagOf(ours, '"a"')).toBe(tagOf(edit('http://one.example'), '"a"'));
    expect(tagOf(ours, '"a"')).not.toBe(tagOf(others, '"a"'));
  });

  it('go upstream as the upstream’s, and no others with a read', () => {
    const tags = [tagOf(ours, 'W/"a"'), '"a"', tagOf(others, '"b"')].join(', ');
    const since = ['if-modified-since', 'Thu, 01 Jan 1970 00:00:00 GMT'] as const;
    expect(ours.forUpstream([['if-none-match', tags], since], true)).toEqual([['if-none-match', 'W/"a"']]);
    expect(ours.forUpstream([['if-none-match', '"a", W/"b"'], since], true)).toEqual([]);
    expect(ours.forUpstream([['if-none-match', '*']], true)).toEqual([['if-none-match', '*']]);
  });

  it('of a write are the state it depends on, whoever gave them', () => {
    expect(ours.forUpstream([['if-match', `${tagOf(ours, '"a"')}, "b"`]], false)).toEqual([['if-match', '"a", "b"']]);
    expect(ours.forUpstream([['range', 'bytes=0-1']], false)).toEqual([['range', 'bytes=0-1']]);
  });

  it('are all that a client is told by: a date is the same for each edit', () => {
    const since = ['if-modified-since', 'Thu, 01 Jan 1970 00:00:00 GMT'] as const;
    const part = ['range', 'bytes=0-1'] as const;
    expect(ours.forUpstream([since], true)).toEqual([]);
    expect(withoutDates([since, part, ['if-range', since[1]]])).toEqual([['if-range', since[1]]]);
    for (const kept of [[part], [part, ['if-range', '"a"'] as const], [['if-none-match', '"a"'] as const]])
      expect(withoutDates(kept)).toEqual(kept);
  });

  it('let no part of the upstream’s bytes be asked for', () => {
    const fields: HeaderList = [
      ['accept', '*/*'],
      ['range', 'bytes=0-1'],
      ['if-range', '"a"'],
    ];
    expect(ours.forUpstream(fields, true)).toEqual([['accept', '*/*']]);
  });
});

describe('edited bodies', () => {
  const fields: HeaderList = [TYPE, ['content-length', '31'], ['repr-digest', 'sha-256=:x:'], ['x-a', '1']];

  it('have no length or digest of the upstream’s bytes', async () => {
    for (const body of [Buffer.from(BODY), bytewise(Buffer.from(BODY))])
      expect(await sent(fields, body)).toEqual({ headers: [TYPE, ['x-a', '1']], text: EDITED });
  });

  it.each([
    ['gzip', gzipSync(BODY)],
    ['br', brotliCompressSync(BODY)],
    ['deflate', deflateSync(BODY)],
    ['deflate', deflateRawSync(BODY)],
    ['gzip, br', brotliCompressSync(gzipSync(BODY))],
  ])('are sent without their coding, which was %s', async (coding, packed) => {
    for (const body of [packed, bytewise(packed)])
      expect(await sent([...fields, ['content-encoding', coding]], body)).toEqual({
        headers: [TYPE, ['x-a', '1']],
        text: EDITED,
      });
    expect((await ours.whole(packed, [TYPE, ['content-encoding', coding]])).toString()).toBe(EDITED);
  });

  it('are empty where the upstream’s is, whatever coding its head names', async () => {
    for (const body of [Buffer.alloc(0), bytewise(Buffer.alloc(0))])
      expect((await sent([TYPE, ['content-encoding', 'gzip']], body)).text).toBe('');
  });

  it.each([
    ...[
      'application/vnd.acme+json',
      'text/json',
      'application/json;charset=UTF8',
      'application/json; v=1; charset="utf-8"',
    ],
  ])('are those of %s, too', async (type) => {
    expect((await sent([['content-type', type]], Buffer.from(BODY))).text).toBe(EDITED);
  });

  it('break off where the upstream’s does', async () => {
    const packed = gzipSync(BODY.repeat(10));
    const headers: HeaderList = [TYPE, ['content-encoding', 'gzip']];
    await expect(sent(headers, bytewise(packed.subarray(0, -9)))).rejects.toThrow();
    const broken = (async function* () {
      yield await Promise.resolve(Buffer.from(BODY));
      throw new Error('reset');
    })();
    await expect(sent([TYPE], broken)).rejects.toThrow('reset');
  });

  it.each<[string, HeaderList, number]>([
    ['another type', [['content-type', 'text/plain']], 200],
    ['a file of a repository', [['content-type', 'application/vnd.github.raw+json; charset=utf-8']], 200],
    ['a file shown as HTML', [['content-type', 'application/vnd.github.v3.html+json']], 200],
    ['another charset', [['content-type', 'application/json; charset=utf-16']], 200],
    ['a coding that is not known', [TYPE, ['content-encoding', 'x-own']], 200],
    ['content that must not be transformed', [TYPE, ['cache-control', 'private, no-transform']], 200],
    ['a part', [TYPE, ['content-range', 'bytes 0-9/90']], 206],
  ])('are none of %s', async (_name, headers, status) => {
    const all: HeaderList = [...headers, ['content-length', '31']];
    expect(await sent(all, Buffer.from(BODY), status)).toEqual({ headers: all, text: BODY });
  });

  it('of HEAD have no length, for it would be another', async () => {
    expect((await sent(fields, Buffer.alloc(0), 200, true)).headers).toEqual([TYPE, ['x-a', '1']]);
  });
});
