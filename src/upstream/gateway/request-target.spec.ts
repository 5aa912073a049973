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

  const TOKEN = `ghp_${'a1B2'.repeat(9)}`;
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
    ...['/a?a=1;;b;token', '/a?token[a][]=S', '/a?a=1%3Btoken=S'.replace('%3B', ';'), '/a?client[secret]=S'],
    ...[`/a?q=${TOKEN}`, `/a?${TOKEN}`, `/a/${TOKEN}/b`, `/a?q=x%20${TOKEN.replace('_', '%5F')}`],
    ...[`/a?x=github_pat_${'1'.repeat(22)}_${'z'.repeat(59)}`, `/a?x=ghs%255F${'a'.repeat(36)}`],
  ])('%s is refused for its credential, which the message does not repeat', (target) => {
    expect(() => parseTarget(target)).toThrow(/credential \((?:a GitHub token|the parameter "[a-z]+")\)/);
    expect(() => parseTarget(target)).not.toThrow(/S\b|a1B2|zzz/);
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
