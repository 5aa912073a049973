import { QueryCredentials, type CredentialRules } from './credentials';
import { parseTarget } from './request-target';

describe('a request target', () => {
  it.each([
    ['/repos/o/r/contents/a%2fb', '/repos/o/r/contents/a%2Fb'],
    ['/repos/o/r/contents/a%2F.github%2Fb', '/repos/o/r/contents/a%2F.github%2Fb'],
    ['/repos/o/r/compare/main...feature%2fx', '/repos/o/r/compare/main...feature%2Fx'],
    ['/repos/o/r/compare/v1..v2', '/repos/o/r/compare/v1..v2'],
    ['/repos/o/r/contents/100%25', '/repos/o/r/contents/100%25'],
    ['/repos/o/r/contents/a%252Fb', '/repos/o/r/contents/a%252Fb'],
    ['/a;x=y/b', '/a;x=y/b'],
    ['/a...;x/b', '/a...;x/b'],
  ])('%s is %s', (target, path) => {
    expect(parseTarget(target).path).toBe(path);
  });

  it.each([
    ...[
      '/a/..%2Fb',
      '/a%2F..%2Fb',
      '/%2f%2e%2e%2f',
      '/..%2F',
      '/a%2f..',
      '/a%2F.%2Fb',
      '/a/..%5Cb'.replace('5C', '255C'),
    ],
    ...['/a%252F..%252Fb', '/a/%252e%252e/b', '/a%25252F..%25252Fb', '/a%2f%252e.%2fb', '/a%252f%2e%252e'],
    ...['/a/..;/b', '/a/..;x=y/b', '/a/..%3B/b', '/a/.;/b', '/a%2F..;x%2Fb', '/a/..%253b/b'],
    ...['/a/%C0%AE%C0%AE/b', '/a%C0%AF..', '/%E0%80%AE', '/%F0%80%80%AF', '/a%C1%9C'],
    ...[`/a%${'25'.repeat(9)}2F`, 'a', '%2Fa'],
  ])('%s is refused', (target) => {
    expect(() => parseTarget(target)).toThrow(expect.objectContaining({ code: 'request-invalid' }) as Error);
  });

  it.each([
    ...['/a?access_token=S', '/a?a=1;access_token=S', '/a?access_token[]=S', '/a?access_token%5B0%5D=S', '/a?token=S'],
    ...['/a?TOKEN=S', '/a?%74oken=S', '/a?%2574oken=S', '/a?access.token=S', '/a?access+token=S', '/a?accessToken=S'],
    ...[
      '/a?auth[token]=S',
      '/a?a=1&client_secret=S',
      '/a?private_token=S',
      '/a?jwt=S',
      '/a?api-key=S',
      '/a?password=S',
    ],
    ...['/a;token=S', '/a%3Faccess_token=S', '/a%253Ba=1&token=S/b', '/a;x=1;password=S'],
    ...['/a?a=1;;b;token', '/a?token[a][]=S', '/a?a=1%3Btoken=S'.replace('%3B', ';'), '/a?client[secret]=S'],
  ])('%s is refused for its credential, which the message does not repeat', (target) => {
    expect(() => parseTarget(target)).toThrow(/credential \(the parameter "[\w.[\]-]+"\)/);
    expect(() => parseTarget(target)).not.toThrow(/S\b/);
  });

  it.each(['/repos/o/r/contents/faq%3Ftoken.md', '/questions/1;2', '/a;v=1/token=1'])('the path %s goes on', (path) => {
    expect(parseTarget(path).path).toBe(path);
  });

  it.each([
    '/repos/o/r/actions/caches?key=linux-&ref=refs/heads/main',
    '/orgs/o/personal-access-tokens?token_id=1',
    '/orgs/o/secret-scanning/alerts?secret_type=a&state=open',
    '/search/code?q=token+in:file',
    '/search/code?q=ghp_short',
    '/a?client_id=Iv1.0123456789abcdef&code=1&signature=x',
  ])('%s goes on', (target) => {
    expect(parseTarget(target).query).toBe(target.slice(target.indexOf('?')));
  });
});

describe('credentials that a definition names', () => {
  const named = new QueryCredentials({ query: ['key', 'access_token'], tokenForm: /sk_[a-z0-9]{8}/ }, 'Stack');
  const parse = (target: string) => parseTarget(target, named);

  it('are no part of the query, however their names are written', () => {
    for (const name of ['key', 'KEY', '%6Bey', '%256bey'])
      expect(parse(`/a?page=2&${name}=s3cret%2B&q=x`)).toEqual({
        ...{ path: '/a', query: '?page=2&q=x' },
        credentials: [{ in: 'query', name: 'key', value: 's3cret%2B' }],
      });
    expect(parse('/a?access-token=T&key=K')).toMatchObject({
      query: '',
      credentials: [{ value: 'T' }, { value: 'K' }],
    });
  });

  it.each([
    '/a?key=1&key=2',
    '/a?key=1&KEY=2',
    '/a?q=1;key=2',
    '/a?key[]=1',
    '/a?x[key]=1',
    '/a?token=1',
    '/a/sk_abcd1234',
  ])('are refused where they may mean another thing to the API: %s', (target) => {
    expect(() => parse(target)).toThrow(expect.objectContaining({ code: 'request-invalid' }) as Error);
  });

  it('are refused by a parser without the definition, except plain words', () => {
    expect(() => parseTarget('/a?access_token=T')).toThrow('the parameter "access_token"');
    expect(parseTarget('/a?key=linux')).toMatchObject({ query: '?key=linux', credentials: [] });
  });

  it.each([
    ['/a?api_key=1', '"api_key"'],
    ['/a?apiKey=1', '"apiKey"'],
    ['/a?api%5Fkey=1', '"api_key"'],
    ['/a?api_key[s3cret]=1', '"api_key"'],
    ['/a?appid[]=1', '"appid[]"'],
    ['/a?api%3Ckey%3E=1', '"apikey"'],
    [`/a?api${'_'.repeat(99)}key=1`, '"apikey"'],
    ['/a?q=sk_abcd1234', 'a Weather token'],
  ])('are what the refusal of another one says to use: %s', (target, what) => {
    const rules = { headers: ['X-Weather-Key'], query: ['appid'], tokenForm: /sk_[a-z0-9]{8}/ };
    const refused = () => parseTarget(target, new QueryCredentials(rules, 'Weather'));
    expect(refused).toThrow(
      'send credentials in the X-Weather-Key field, or as ?appid=, which this service keeps out of logs; revoke',
    );
    expect(refused).toThrow(what);
    expect(refused).not.toThrow(/s3cret|abcd1234/);
  });

  it('are those of the definition alone, which may be in the query alone', () => {
    const refused = (rules: CredentialRules) => () => parseTarget('/a?password=1', new QueryCredentials(rules));
    expect(refused({ query: ['key'] })).toThrow('logs: send credentials as ?key=, which this service keeps');
    expect(refused({ headers: ['X-A', 'X-B'] })).toThrow('logs: send credentials in the X-A or X-B field; revoke');
  });

  it('are those of the Authorization field alone where the definition names none', () => {
    expect(() => parseTarget('/a?api_key=1', new QueryCredentials({}, 'GitHub'))).toThrow(
      'The URL contains a credential (the parameter "api_key"). URLs end up in logs: send credentials in the Authorization field; revoke this one',
    );
  });

  it.each([
    ['<https://x/a?key=K&page=2>; rel="next"', '<https://x/a?page=2>; rel="next"'],
    [
      '<https://x/a?page=2&key=K>; rel="next", <https://x/b?access_token=T>; rel="last"',
      '<https://x/a?page=2>; rel="next", <https://x/b>; rel="last"',
    ],
    ['/a?a=1&key=K&b=2#top', '/a?a=1&b=2#top'],
    ['key=K', 'key=K'],
    ['max-age=60, public', 'max-age=60, public'],
  ])('are removed from the fields of responses: %s', (value, left) => {
    expect(named.removedFrom(value)).toBe(left);
  });
});
