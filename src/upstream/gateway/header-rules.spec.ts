import { ALL_FIELDS, forwardedHeaders, headerRules } from './header-rules';

const sent = (name: string, rules = headerRules(['*'])): string[] =>
  forwardedHeaders([[name, 'x']], rules, true).map(([field]) => field);

describe('the fields that go upstream with a GET', () => {
  it('are few without a setting', () => {
    const rules = headerRules([]);
    for (const name of ['accept', 'accept-language', 'x-github-api-version']) expect(sent(name, rules)).toEqual([name]);
    for (const name of ['x-mine', 'user-agent', 'cookie', 'authorization', 'host'])
      expect(sent(name, rules)).toEqual([]);
  });

  it('are those that the setting names, which then select', () => {
    const rules = headerRules(['X-Mine', 'User-Agent', 'X-Forwarded-For']);
    for (const name of ['x-mine', 'user-agent', 'x-forwarded-for']) {
      expect(sent(name, rules)).toEqual([name]);
      expect(rules.selecting).toContain(name);
    }
  });

  it('are, with *, all but those that differ from client to client, hop to hop or request to request', () => {
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
    for (const rules of [headerRules([]), headerRules(['X-Mine', 'Via', 'Range']), headerRules(['*'])]) {
      const names = [
        'accept',
        'accept-encoding',
        'accept-language',
        'x-github-api-version',
        'x-mine',
        'via',
        'user-agent',
      ];
      for (const name of [...names, 'x-forwarded-host', 'cookie', 'x-http-method-override'])
        if (rules.forwards(name, true)) expect(rules.selecting).toContain(rules.selecting[0] === '*' ? '*' : name);
    }
    expect(ALL_FIELDS.selecting).toEqual([]); // the strict profile: by Vary alone
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

  it('count the hops of Via', () => {
    for (const rules of [headerRules([]), headerRules(['*'])])
      expect(forwardedHeaders([['via', '1.0 fred, 1.1 evil']], rules, true)).toEqual([
        ['via', '1.0 unnamed, 1.1 unnamed'],
      ]);
    expect(forwardedHeaders([['via', '1.0 fred']], headerRules(['Via']), true)).toEqual([['via', '1.0 fred']]);
  });
});
