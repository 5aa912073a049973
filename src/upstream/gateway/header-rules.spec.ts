import { EVERY_FIELD } from '../../cache/law';
import { ALL_FIELDS, forwardedHeaders, headerRules as rulesOf, type HeaderRules } from './header-rules';

const headerRules = (more: readonly string[]) => rulesOf(more, ['X-Api-Version'], ['private-token']);

const sent = (name: string, rules = headerRules(['*'])): string[] =>
  forwardedHeaders([[name, 'x']], rules, true).map(([field]) => field);

describe('the fields that go upstream with a GET', () => {
  it('are few without a setting', () => {
    const rules = headerRules([]);
    for (const name of ['accept', 'accept-language', 'x-api-version']) expect(sent(name, rules)).toEqual([name]);
    for (const name of ['x-mine', 'user-agent', 'cookie', 'authorization', 'private-token', 'host'])
      expect(sent(name, rules)).toEqual([]);
  });

  it('are the fields that the setting names, which then select', () => {
    const rules = headerRules(['X-Mine', 'User-Agent', 'X-Forwarded-For']);
    for (const name of ['x-mine', 'user-agent', 'x-forwarded-for']) {
      expect(sent(name, rules)).toEqual([name]);
      expect(rules.selecting).toContain(name);
    }
  });

  it('are, with *, all fields except those that differ from client to client, hop to hop or request to request', () => {
    for (const name of ['x-mine', 'cookie', 'content-type', 'prefer', 'x-api-key', 'te-x'])
      expect(sent(name)).toEqual([name]);
    const leftOut = ['user-agent', 'referer', 'origin', 'sec-fetch-mode', 'forwarded', 'x-forwarded-host', 'x-real-ip'];
    const more = [
      'x-original-url',
      'x-rewrite-url',
      'traceparent',
      'x-request-id',
      'x-b3-traceid',
      'cf-ray',
      'max-forwards',
    ];
    for (const name of [...leftOut, ...more]) expect(sent(name)).toEqual([]);
  });

  it('all select what is stored, however they are set', () => {
    const usual = ['accept', 'accept-encoding', 'accept-language', 'x-api-version'];
    const others = ['cookie', 'user-agent', 'via', 'x-forwarded-host', 'x-http-method-override', 'x-mine'];
    const forwarded = (rules: HeaderRules) => [...usual, ...others].filter((name) => rules.forwards(name, true));
    const named = headerRules(['X-Mine', 'Via', 'Range']);
    const all = headerRules(['*']);
    expect([forwarded(headerRules([])), headerRules([]).selecting]).toEqual([usual, [...usual, 'via'].sort()]);
    expect([forwarded(named), named.selecting]).toEqual([
      [...usual, 'via', 'x-mine'],
      [...usual, 'via', 'x-mine'].sort(),
    ]);
    expect([forwarded(all), all.selecting]).toEqual([[...usual, 'cookie', 'x-mine'], [EVERY_FIELD]]);
    expect(ALL_FIELDS.selecting).toEqual([]); // the strict profile: by Vary alone
  });

  it('have no credential, which the partition adds: it would be a variant of its own beside the partition', () => {
    for (const rules of [headerRules(['*']), headerRules(['Private-Token', 'Authorization'])])
      for (const name of ['private-token', 'authorization']) {
        expect(sent(name, rules)).toEqual([]);
        expect(rules.selecting).not.toContain(name);
      }
  });

  it.each(['cache-control', 'pragma', 'if-none-match', 'range'])(
    'select nothing by %s, even if it is named',
    (name) => {
      expect(headerRules([name]).selecting).not.toContain(name);
    },
  );

  it.each(['x-http-method-override', 'x-method-override', 'x-http-method'])(
    'never have %s, which would make a write of a read',
    (name) => {
      expect(sent(name)).toEqual([]);
      expect(sent(name, headerRules([name]))).toEqual([]);
      expect(headerRules([name]).forwards(name, false)).toBe(true);
    },
  );

  it.each<[string[], string[]]>([
    [['my-gzip'], []],
    [['gzip;q=0.0000'], []],
    [['gzip;q=0', '*'], []],
    [['br', 'gzip'], ['gzip']],
    [['x-gzip'], ['gzip']],
  ])('read Accept-Encoding %j as routes do, all lines together', (lines, forwarded) => {
    const fields = lines.map((value) => ['accept-encoding', value] as const);
    expect(forwardedHeaders(fields, headerRules([]), true).map(([, value]) => value)).toEqual(forwarded);
  });

  it('count the hops of Via', () => {
    for (const rules of [headerRules([]), headerRules(['*'])])
      expect(forwardedHeaders([['via', '1.0 fred, 1.1 evil']], rules, true)).toEqual([
        ['via', '1.0 unnamed, 1.1 unnamed'],
      ]);
    expect(forwardedHeaders([['via', '1.0 fred']], headerRules(['Via']), true)).toEqual([['via', '1.0 fred']]);
  });
});
