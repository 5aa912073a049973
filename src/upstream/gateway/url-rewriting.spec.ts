import { rewriteUrls, type Rewriting } from './url-rewriting';

const API: Rewriting = {
  upstreamBase: 'http://api.example:8080',
  gatewayBase: 'http://larder.example/github',
  path: '/repos/a/b',
  linkedAs: (path) => path,
  keepsRelative: false,
};
const ENTERPRISE: Rewriting = { ...API, upstreamBase: 'https://ghe.example/api/v3' };
const GATEWAY = API.gatewayBase;

function locationOf(reference: string, rewriting = API): string {
  return rewriteUrls([['location', reference]], rewriting)[0]![1];
}

describe('URLs of the upstream', () => {
  it.each([
    ['http://api.example:8080/x?a=b%20c#d', '/x?a=b%20c#d'],
    ['HTTP://API.example:8080/x', '/x'],
    ['//api.example:8080/x', '/x'],
    ['/repositories/1?page=2', '/repositories/1?page=2'],
    ["http://api.example:8080/x?q='{y}'", "/x?q='{y}'"],
    ['http://api.example:8080/a/../x', '/x'],
    ['../../../../x', '/x'],
    ['http://api.example:8080', ''],
    ['http://api.example:8080?x', '?x'],
  ])('%s is the gateway’s %s', (reference, expected) => {
    expect(locationOf(reference)).toBe(GATEWAY + expected);
  });

  it.each([
    ...['http://api.example:80801/x', 'http://api.example:8080.evil.example/x', 'http://api.example/x'],
    ...['https://api.example:8080/x', 'http://evil.example/http://api.example:8080/x', '//api.example/x'],
    ...['https://other.example/login?return_to=http://api.example:8080/x', 'http://user@api.example:8080/x'],
    ...['http://', 'mailto:a@api.example', '/\\evil.example/x'],
  ])('are not %s', (reference) => {
    expect(locationOf(reference)).toBe(reference);
  });

  it.each(['page', 'page?x', '?page=2', './c', '../c', '#x', ''])(
    'need no change in %j, which leads there',
    (reference) => {
      expect(locationOf(reference)).toBe(reference);
    },
  );

  it('are the gateway’s by a name too that is no host of a URL', () => {
    const gatewayBase = 'http://larder.example:99999/github';
    expect(locationOf('/x', { ...API, gatewayBase })).toBe(`${gatewayBase}/x`);
  });

  it('need no change in a path where the gateway has the same path as the upstream', () => {
    const rewriting = { ...ENTERPRISE, gatewayBase: 'http://larder.example/api/v3' };
    expect(locationOf('/api/v3/x', rewriting)).toBe('/api/v3/x');
    expect(locationOf('https://ghe.example/api/v3/x', rewriting)).toBe('http://larder.example/api/v3/x');
  });

  it.each([
    ['https://ghe.example:443/api/v3/x', `${GATEWAY}/x`],
    ['/api/v3/x', `${GATEWAY}/x`],
    ['https://ghe.example/api/v3', GATEWAY],
    ['https://ghe.example/api/v3?x', `${GATEWAY}?x`],
    ['https://ghe.example/api/v30/x', 'https://ghe.example/api/v30/x'],
    ['https://ghe.example/x', 'https://ghe.example/x'],
    ['/api/v3/../x', '/api/v3/../x'],
  ])('below a path: %s is %s', (reference, expected) => {
    expect(locationOf(reference, ENTERPRISE)).toBe(expected);
  });

  it('are looked for in the targets of links alone, and may be called otherwise there', () => {
    const rewriting = { ...API, linkedAs: (path: string) => path.replace('/repositories/1', '/repos/a/b') };
    const link =
      '<http://api.example:8080/repositories/1?page=2>; rel="next", </x>; title="<http://api.example:8080/y>, \\"</z>", ' +
      '<https://other.example/>; rel=http://api.example:8080/';
    expect(rewriteUrls([['link', link]], rewriting)).toEqual([
      [
        'link',
        `<${GATEWAY}/repos/a/b?page=2>; rel="next", <${GATEWAY}/x>; title="<http://api.example:8080/y>, \\"</z>", ` +
          '<https://other.example/>; rel=http://api.example:8080/',
      ],
    ]);
    expect(locationOf('/repositories/1', rewriting)).toBe(`${GATEWAY}/repositories/1`);
  });

  it('are in Content-Location too', () => {
    expect(rewriteUrls([['content-location', '/x']], API)).toEqual([['content-location', `${GATEWAY}/x`]]);
  });

  it('stay as they are where they name no host, if that is asked for', () => {
    const rewriting = { ...API, keepsRelative: true };
    expect(['/x', '../../../x', '//api.example:8080/x'].map((reference) => locationOf(reference, rewriting))).toEqual([
      ...['/x', '../../../x', `${GATEWAY}/x`],
    ]);
  });

  it('are in no other field', () => {
    const fields = [['x-url', 'http://api.example:8080/x'] as const];
    expect(rewriteUrls(fields, API)).toEqual(fields);
  });

  it('take no time in a field that is one long open quote', () => {
    expect(rewriteUrls([['link', `"${'\\"'.repeat(100_000)}`]], API)).toHaveLength(1);
  });
});

describe('the gateway’s own URL', () => {
  it('is a path for a request without a host', () => {
    expect(locationOf('http://api.example:8080/x', { ...API, gatewayBase: '/github' })).toBe('/github/x');
  });
});
