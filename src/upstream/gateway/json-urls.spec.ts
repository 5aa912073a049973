import fc from 'fast-check';
import { JsonUrlRewriter, type JsonUrlRules } from './json-urls';

const API = 'https://api.example';
const RULES: JsonUrlRules = {
  urls: [
    [API, 'http://larder.example/acme'],
    ['https://api.example/uploads', 'http://larder.example/acme/api/uploads'],
    ['https://uploads.example', 'http://larder.example/acme/api/uploads'],
  ],
  isUrl: (member) => /^(?:url|\w+_url)$/.test(member),
};

function rewritten(text: string, cuts: readonly number[] = [], rules = RULES): string {
  const bytes = Buffer.from(text);
  const rewriter = new JsonUrlRewriter(rules);
  const places = [0, ...[...cuts].sort((a, b) => a - b).map((cut) => Math.min(cut, bytes.length)), bytes.length];
  const pieces = places.slice(1).flatMap((end, at) => rewriter.push(bytes.subarray(places[at], end)));
  return Buffer.concat([...pieces, ...rewriter.end()]).toString();
}

/** JSON with the API's URLs in all places, as text of several styles. */
const url = fc
  .tuple(
    fc.constantFrom(
      API,
      `${API}/uploads`,
      'https://uploads.example',
      'https://api.example.org',
      'https://other.example',
    ),
    fc.constantFrom('', '/x', '/x{/sha}', '{/sha}', '?q', '#f', 'x', ' is it', '\\', '"', '/é'),
  )
  .map((parts) => parts.join(''));
const value = fc.oneof(
  url,
  fc.string(),
  url.map((text) => `see "url":"${text}"`),
  fc.integer(),
  fc.constant(null),
);
const member = fc.constantFrom('url', 'a_url', 'text', 'urls', '"url', 'url\\', 'é_url');
const { json } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(value, fc.array(tie('json'), { maxLength: 3 }), fc.dictionary(member, tie('json'), { maxKeys: 6 })),
}));
const text = fc.tuple(json, fc.constantFrom(undefined, 1, '\t'), fc.boolean()).map(([made, indent, isEscaped]) => {
  const plain = JSON.stringify(made, undefined, indent);
  return isEscaped ? plain.replaceAll('/', String.raw`\/`) : plain;
});

/** The same by a parser. */
function expected(node: unknown, name = ''): unknown {
  if (Array.isArray(node)) return node.map((one) => expected(one));
  if (typeof node === 'object' && node !== null)
    return Object.fromEntries(Object.entries(node).map(([key, one]) => [key, expected(one, key)]));
  if (typeof node !== 'string' || !RULES.isUrl(name)) return node;
  const matches = RULES.urls.filter(([from]) => node.startsWith(from) && /^(?:$|[/?{#])/.test(node.slice(from.length)));
  const [from, to] = matches.sort(([one], [other]) => other.length - one.length)[0] ?? ['', ''];
  return to + node.slice(from.length);
}

describe('URLs in JSON text', () => {
  it('are replaced as a parser would, however the text is cut', () => {
    const cuts = fc.array(fc.nat(400), { maxLength: 12 });
    fc.assert(
      fc.property(text, cuts, (given, places) => {
        const whole = rewritten(given);
        expect(JSON.parse(whole)).toEqual(expected(JSON.parse(given)));
        expect(rewritten(given, places)).toBe(whole);
      }),
      { numRuns: 2_000 },
    );
  });

  it('are replaced wherever a chunk ends, also after every byte', () => {
    const given =
      '{"url" : "https://api.example/a{/sha}", "text":"https://api.example/a","b_url":"https://uploads.example?x"}';
    const whole = rewritten(given);
    expect(whole).toBe(
      '{"url" : "http://larder.example/acme/a{/sha}", "text":"https://api.example/a","b_url":"http://larder.example/acme/api/uploads?x"}',
    );
    const all = [...Buffer.from(given).keys()];
    expect(rewritten(given, all)).toBe(whole);
    for (const cut of all) expect(rewritten(given, [cut])).toBe(whole);
  });

  it('that are none of the API’s leave every byte as it is, also of text that is no JSON', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.array(fc.nat(600)), (bytes, cuts) => {
        const given = Buffer.from(bytes).toString('latin1');
        expect(rewritten(given, cuts)).toBe(given);
      }),
    );
  });

  it('are replaced also where each slash is escaped, as PHP writes it', () => {
    const given = JSON.stringify({ a_url: `${API}/a`, url: API, text: API }).replaceAll('/', String.raw`\/`);
    const all = [...Buffer.from(given).keys()];
    expect(JSON.parse(rewritten(given, all))).toEqual({
      ...{ a_url: 'http://larder.example/acme/a', url: 'http://larder.example/acme', text: API },
    });
  });

  it.each([
    ['a text that mentions one', '{"body":"https://api.example/x"}'],
    ['a quoted member within a text', String.raw`{"body":"\"url\":\"https://api.example/x\""}`],
    ['a host that begins alike', '{"url":"https://api.example.org/x"}'],
    ['a host that an escaped character goes on with', String.raw`{"url":"https://api.example\u002eorg/x"}`],
    ['one that does not end', '{"url":"https://api.example'],
    ['a member of an unusual length', `{"${'x'.repeat(200)}_url":"https://api.example/x"}`],
    ['an element of an array', '["https://api.example/x"]'],
  ])('stay in %s', (_name, given) => {
    expect(rewritten(given)).toBe(given);
  });

  it('are written as JSON, whatever a client calls the host', () => {
    const rules = { ...RULES, urls: [[API, 'http://a"b\\c']] as const };
    expect(JSON.parse(rewritten(`{"url":"${API}/x"}`, [], rules))).toEqual({ url: 'http://a"b\\c/x' });
  });
});

describe('members that are added', () => {
  const rules = { ...RULES, added: '"version":"1"' };
  it.each([
    ['{"a":1}', '{"version":"1","a":1}'],
    ['{}', '{"version":"1"}'],
    ['[]', '[]'],
    ['', ''],
    ['{', '{'],
    ['{ }', '{ }'],
    [`{"url":"${API}"}`, '{"version":"1","url":"http://larder.example/acme"}'],
  ])('%s becomes %s, however it is cut', (given, becomes) => {
    expect(rewritten(given, [], rules)).toBe(becomes);
    expect(
      rewritten(
        given,
        Array.from({ length: given.length }, (_, at) => at),
        rules,
      ),
    ).toBe(becomes);
  });
});
