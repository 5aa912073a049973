import type { HeaderList } from '../model/cache-entry';
import { isNotModified, rangeMayApply } from './conditions';
import { endToEnd, toHeaderList } from './fields';
import { rangeOf } from './range';
import { EVERY_FIELD, selectionKey, varyNames } from './selection';
import { isUnsafe, updatedHeaders } from './update';

describe('Vary (RFC 9111 §4.1)', () => {
  it.each<[HeaderList, readonly string[] | undefined]>([
    [[], []],
    [[['vary', 'Accept']], ['accept']],
    [
      [
        ['vary', 'Accept, Accept-Encoding'],
        ['vary', 'accept'],
      ],
      ['accept', 'accept-encoding'],
    ],
    [[['vary', '*']], undefined],
    [[['vary', 'accept, *']], undefined],
  ])('%j nominates %j', (headers, names) => {
    expect(varyNames(headers)).toEqual(names);
  });

  it('selects by the nominated fields alone', () => {
    const key = (...fields: [string, string][]) => selectionKey(['accept', 'x-a'], fields);
    expect(key(['accept', 'a'], ['other', '1'])).toBe(key(['accept', 'a'], ['other', '2']));
    expect(key(['accept', 'a,b'])).toBe(key(['accept', 'a ,  b']));
    expect(key(['accept', 'a'], ['accept', 'b'])).toBe(key(['accept', 'a, b']));
    expect(key(['accept', 'a'])).not.toBe(key(['accept', 'b']));
    expect(key(['accept', ''])).not.toBe(key());
    expect(key(['accept', 'a'], ['x-a', 'b'])).not.toBe(key(['accept', 'b'], ['x-a', 'a']));
  });

  it('selects by every field of the request on demand, except fields that the cache handles itself', () => {
    const key = (...fields: [string, string][]) => selectionKey(['accept', EVERY_FIELD], fields);
    const plain = key(['accept', 'a']);
    for (const name of ['cache-control', 'pragma', 'range', 'if-none-match', 'if-modified-since'])
      expect(key(['accept', 'a'], [name, 'x'])).toBe(plain);
    expect(key(['x-b', '1'], ['x-a', '2'])).toBe(key(['x-a', '2'], ['x-b', '1']));
    const others = [
      key(['accept', 'a'], ['x-a', '']),
      key(['accept', 'a'], ['x-a', '1']),
      key(['accept', 'a'], ['x-a', '1'], ['x-a', '1']),
      key(['accept', 'a'], ['x-a', '1,1']),
      key(['accept', 'a'], ['x-a', '1, 1']),
      key(['accept', 'a'], ['x-b', '1']),
      key(['accept', 'a'], ['x-a1', '']),
    ];
    expect(new Set([plain, ...others]).size).toBe(others.length + 1);
  });

  it('keeps quoted strings unchanged, and ignores blanks around commas only', () => {
    const key = (...values: string[]) =>
      selectionKey(
        ['accept'],
        values.map((value) => ['accept', value] as const),
      );
    expect(key('a;p="a  b"')).not.toBe(key('a;p="a b"'));
    expect(key('a;p="a , b"')).not.toBe(key('a;p="a, b"'));
    expect(key('a;p="\\" , b"')).not.toBe(key('a;p="\\", b"'));
    expect(key('a;p="x, y" ,b')).toBe(key('a;p="x, y"', ' b\t'));
    expect(key('"x', 'y"')).not.toBe(key('"x, y"'));
    expect(key('"x , y')).not.toBe(key('"x, y'));
    expect(key('a  b')).not.toBe(key('a b'));
    expect(key('a\u00a0')).not.toBe(key('a'));
    expect(selectionKey(['cookie'], [['cookie', 'a=1 , 2']])).not.toBe(
      selectionKey(['cookie'], [['cookie', 'a=1, 2']]),
    );
  });

  it('matches languages in any case, in their order, and keeps quoted ones unchanged', () => {
    const key = (value: string) => selectionKey(['accept-language'], [['accept-language', value]]);
    expect(key('EN, de;q=0.5')).toBe(key('en,de;q=0.5'));
    expect(key('en, de')).not.toBe(key('de, en'));
    expect(key('en;x="A"')).not.toBe(key('en;x="a"'));
  });

  it('does not let a value pass for another field', () => {
    const names = ['a', 'b'];
    expect(selectionKey(names, [['a', '1b2']])).not.toBe(
      selectionKey(names, [
        ['a', '1'],
        ['b', '2'],
      ]),
    );
    expect(selectionKey(names, [['a', 'absent']])).not.toBe(selectionKey(names, []));
  });
});

describe('conditional requests (RFC 9111 §4.3.2)', () => {
  const stored: HeaderList = [
    ['etag', '"a"'],
    ['last-modified', 'Sun, 06 Nov 1994 08:49:37 GMT'],
    ['date', 'Sun, 06 Nov 1994 09:00:00 GMT'],
  ];
  it.each<[HeaderList, HeaderList, boolean]>([
    [[['if-none-match', '"a"']], stored, true],
    [[['if-none-match', 'W/"a"']], stored, true],
    [[['if-none-match', '"b", "a"']], stored, true],
    [
      [
        ['if-none-match', '"b"'],
        ['if-none-match', '"a"'],
      ],
      stored,
      true,
    ],
    [[['if-none-match', '*']], stored, true],
    [[['if-none-match', '"b"']], stored, false],
    [[['if-none-match', '"a"']], [], false],
    [[['if-none-match', '*']], [], true],
    [[['if-modified-since', 'Sun, 06 Nov 1994 08:49:37 GMT']], stored, true],
    [[['if-modified-since', 'Sun, 06 Nov 1994 08:49:36 GMT']], stored, false],
    [[['if-modified-since', 'yesterday']], stored, false],
    [
      [
        ['if-none-match', '"b"'],
        ['if-modified-since', 'Sun, 06 Nov 1994 10:00:00 GMT'],
      ],
      stored,
      false,
    ],
    [[['if-modified-since', 'Sun, 06 Nov 1994 09:00:00 GMT']], [stored[2]!], true],
    [[], stored, false],
  ])('%j of %j is 304: %j', (request, headers, is304) => {
    expect(isNotModified(request, headers, 0)).toBe(is304);
  });

  it.each<[string | undefined, boolean]>([
    [undefined, true],
    ['"a"', true],
    ['"b"', false],
    ['W/"a"', false],
    ['Sun, 06 Nov 1994 08:49:37 GMT', true],
    ['Sun, 06 Nov 1994 08:49:38 GMT', false],
  ])('If-Range: %j lets a range be answered: %j', (value, may) => {
    expect(rangeMayApply(value === undefined ? [] : [['if-range', value]], stored)).toBe(may);
  });
});

describe('Range (RFC 9110 §14)', () => {
  it.each([
    ['bytes=0-9', 100, { kind: 'part', first: 0, last: 9 }],
    ['bytes=90-', 100, { kind: 'part', first: 90, last: 99 }],
    ['bytes=-10', 100, { kind: 'part', first: 90, last: 99 }],
    ['bytes=-200', 100, { kind: 'part', first: 0, last: 99 }],
    ['bytes=0-1000', 100, { kind: 'part', first: 0, last: 99 }],
    ['bytes=100-', 100, { kind: 'unsatisfiable' }],
    ['bytes=-0', 100, { kind: 'unsatisfiable' }],
    ['bytes=-5', 0, { kind: 'whole' }],
    ['bytes=0-', 0, { kind: 'unsatisfiable' }],
    ['bytes=0-', 0, { kind: 'unsatisfiable' }],
    ['bytes=5-4', 100, { kind: 'whole' }],
    ['bytes=0-1,3-4', 100, { kind: 'whole' }],
    ['bytes=-', 100, { kind: 'whole' }],
    ['items=0-1', 100, { kind: 'whole' }],
    ['bytes=0-9999999999999999999', 100, { kind: 'part', first: 0, last: 99 }],
    ['bytes=-99999999999999999999', 100, { kind: 'part', first: 0, last: 99 }],
    ['bytes=00000000000000000000002-5', 100, { kind: 'part', first: 2, last: 5 }],
    ['bytes=9007199254740993-9007199254740992', 100, { kind: 'whole' }],
    ['bytes=9007199254740992-9007199254740993', 100, { kind: 'unsatisfiable' }],
    [`bytes=-${'9'.repeat(400)}`, 100, { kind: 'part', first: 0, last: 99 }],
    [`bytes=${'9'.repeat(400)}-`, 100, { kind: 'unsatisfiable' }],
  ])('%s of %d bytes is %j', (field, length, expected) => {
    expect(rangeOf(field, length)).toEqual(expected);
  });
});

describe('fields that are not for the next hop (RFC 9110 §7.6.1)', () => {
  it('are removed, with the fields that Connection names, except fields of the message', () => {
    const raw = ['Connection', 'close, X-A, cache-control', 'X-A', '1', 'TE', 'trailers', 'Cache-Control', 'no-store'];
    expect(endToEnd(toHeaderList([...raw, 'X-B', '2', 'Keep-Alive', 'timeout=5']))).toEqual([
      ['cache-control', 'no-store'],
      ['x-b', '2'],
    ]);
  });
});

describe('a validation (RFC 9111 §3.2)', () => {
  it('replaces fields, but not what describes the stored bytes', () => {
    const stored: HeaderList = [
      ['x-a', '1'],
      ['x-a', '2'],
      ['content-type', 'a/b'],
      ['etag', '"a"'],
    ];
    const newer: HeaderList = [
      ['x-a', '3'],
      ['content-length', '0'],
      ['content-type', 'c/d'],
      ['x-b', '4'],
    ];
    expect(updatedHeaders(stored, newer)).toEqual([
      ['etag', '"a"'],
      ['x-a', '3'],
      ['content-type', 'c/d'],
      ['x-b', '4'],
    ]);
  });

  it('is not needed after what changes nothing', () => {
    expect(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'POST', 'PATCH', 'M-SEARCH'].filter(isUnsafe)).toEqual([
      ...['POST', 'PATCH', 'M-SEARCH'],
    ]);
  });
});
