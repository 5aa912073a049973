import { ADMIN, ask } from './ask';
import { BASE, Hostilities, newPath, reflect, reflectionOf, statusesOf, TOKEN_MARK } from './hostile';

describe('the gateway interprets a target exactly', () => {
  let attacked: Hostilities;
  let path: string;
  const bodyOf = (answer: string): string => answer.slice(answer.indexOf('\r\n\r\n') + 4);

  beforeAll(async () => {
    attacked = await Hostilities.start('/api/v3');
  });
  beforeEach(() => {
    path = newPath();
    attacked.origin.answerBy(reflect);
  });
  afterAll(async () => {
    await attacked.stop();
  });

  it.each([
    ['a/...%2fb', '/a/...%2Fb'],
    ['a%2f.github%2fb', '/a%2F.github%2Fb'],
    ['a/./b', '/a/b'],
    ['a/x/../b', '/a/b'],
    ['a/x/%2E%2e/b', '/a/b'],
    ['a/.', '/a/'],
    ['a/x/..', '/a/'],
    ['a//b', '/a//b'],
    ['/a', '//a'],
    ['/evil.example/a', '//evil.example/a'],
    ['http://evil.example/a', '/http://evil.example/a'],
    ['@evil.example/a', '/@evil.example/a'],
    [':80/a', '/:80/a'],
    ['a;x=y/b', '/a;x=y/b'],
    ['a./b', '/a./b'],
    ['a.../b', '/a.../b'],
    ['a%2Fb', '/a%2Fb'],
    ['a%252fb', '/a%252fb'],
    ['a%3Fb', '/a%3Fb'],
    ['a%23b', '/a%23b'],
    ['%61', '/a'],
    ['%C3%A4', '/%C3%A4'],
    ['%ef%bc%8fa', '/%EF%BC%8Fa'],
    ['a?b=http://evil.example/', '/a?b=http://evil.example/'],
    ['?', '/'],
    ['a?b&&c&', '/a?b&c'],
  ])('%s goes to the API as %s', async (sent, expected) => {
    const answer = await attacked.rawGet(`${BASE}${path}/${sent}`);
    expect(statusesOf(answer)).toEqual([200]);
    expect(attacked.origin.hits.map(({ url }) => url)).toEqual([`/api/v3${path}${expected}`]);
    const [hit] = attacked.origin.hits;
    expect(hit!.headers.host).toBe(new URL(attacked.origin.url).host);
  });

  it.each([
    ...['/..', '/../a', '/a/../../b', '/%2e%2e/a', '/.%2E/a', '/a\\b', '/..\\..\\a', '/a%5cb', '/a%5Cb'],
    ...['/a%00', '/a%00b', '/a%0d%0ab', '/a%0aX-A:%20b', '/a%09', '/a%7f', '/a?b=%00', '/a?b=%0d%0aHost:%20evil'],
    ...[
      '/a/..%2fb',
      '/a/.%2e%2fb',
      '/a%2f..%2f..%2f..%2fadmin',
      '/%2F..%2F',
      '/a%252f..%252fb',
      '/a/..;/b',
      '/a/..%3b/b',
    ],
    ...['/a%2f%2e%2e%2fb', '/a%252f%252e%252e', '/a/%c0%ae%c0%ae/b', '/a%c0%af..%c0%afb', '/a/..%255cb', '/a%2f.%2fb'],
    ...['/%', '/a%2', '/a%zz', '/a%u002f', '/a?b=%', '/a#b', '/a?b#c'],
    ...['/a?access_token=x', '/a?ACCESS_TOKEN=x', '/a?b&access%5Ftoken=x', '/a?%61ccess_token', '/a?client_secret=x'],
    ...[
      '/a?b=1;access_token=x',
      '/a?access_token[]=x',
      '/a?token=x',
      '/a?access%255Ftoken=x',
      '/a?auth[token]=x',
      '/a?jwt=x',
    ],
  ])('%s is refused', async (sent) => {
    expect(statusesOf(await attacked.rawGet(`${BASE}${sent}`))).toEqual([400]);
    expect(attacked.origin.hits).toHaveLength(0);
  });

  it.each(['/a\x00b', '/a b', '/a\tb', '/ä', '/\u00a0', '/a\x7f', '/\xff\xfe'])(
    '%j as it is is refused',
    async (sent) => {
      expect(statusesOf(await attacked.rawGet(`${BASE}${sent}`))).toEqual([400]);
      expect(attacked.origin.hits).toHaveLength(0);
    },
  );

  // The router knows the prefix however it is written; what is behind it is what counts.
  it.each([
    '/%67ithub',
    '/g%69thub',
    '/gith%75b',
    '/%67%69%74%68%75%62',
    '/./github',
    '/x/../github',
    '//github',
    '/github/',
    '/GITHUB',
    '/github;x=y',
    '/github%2f',
    '/github%2e',
    'http://evil.example/github',
    'http://evil.example:80/github',
    'https://evil.example/github',
    'HTTP://evil.example/github',
    'evil.example/github',
    'github',
    '//evil.example/github',
    'http:/github',
    'http:///github',
    'http://h/%67ithub',
    '*',
  ])('%s before a path leads to that path, or nowhere', async (prefix) => {
    const answer = await attacked.rawGet(`${prefix}${path}?q`);
    const [status] = statusesOf(answer);
    if (status === 200) {
      const allowed = [`/api/v3${path}?q`, `/api/v3/${path}?q`];
      expect(attacked.origin.hits.map(({ url }) => allowed.includes(url) || url)).toEqual([true]);
      const { text } = await ask(attacked.service, `/admin/cache/entries?limit=1000&match=*${path.slice(1)}*`, {
        headers: ADMIN,
      });
      expect(text).toMatch(/"github:-:\/?\/path-\d+\?q/);
    } else {
      expect([400, 404]).toContain(status);
      expect(attacked.origin.hits).toHaveLength(0);
    }
  });

  it.each([
    ['a=1&b=2', 'b=2&a=1'],
    ['a=1;b=2', 'a=1&b=2'],
    ['a=1;b=2', 'a=1%3Bb=2'],
    ['a=1&a=2', 'a=2&a=1'],
    ['a=1&a=2', 'a=2'],
    ['a=1', 'A=1'],
    ['a=1', 'a[]=1'],
    ['a=1', 'a=1&utm_source=evil'],
    ['a=1', 'a=1&utm_content=x;a=evil'],
    ['a=1', 'a=1%26b=2'],
    ['a=1&b=2', 'a=1%26b=2'],
    ['a=b+c', 'a=b%20c'],
    ['a=b+c', 'a=b%2Bc'],
    ['a', 'a='],
    ['a=1', 'a=1%2500'],
    ['a=1', 'a=1?'],
    ['a=1', '?a=1'],
    ['_method=POST', ''],
    ['callback=evil', ''],
  ])('?%s and ?%s are two resources', async (one, other) => {
    for (let times = 0; times < 2; times++)
      for (const query of [one, other])
        expect(reflectionOf(await attacked.through(`${path}?${query}`)).url).toBe(
          `/api/v3${path}${query === '' ? '' : `?${query}`}`,
        );
    expect(attacked.origin.hits).toHaveLength(2);
  });

  it.each([
    ['/a|b', '/a%7Cb'],
    ['/a%7Bb', '/a%7Db'],
    ['/{a}', '/a'],
    ['/a:b', '/a%3Ab'],
    ['/a%25b', '/a%2525b'],
    ['/a', '/a|-|-'],
    ['/a', '/a%sha256:'.replace('%', '%25')],
    ['/a', '/a%20'],
    ['/a', '/a/'],
    ['/a*', '/a?'],
    ['/a"b', '/a%22b'],
    ['/-:/a', '/a'],
    ['/__proto__', '/constructor'],
  ])('%s and %s are the same or do not share an answer', async (one, other) => {
    for (let times = 0; times < 2; times++)
      for (const sent of [one, other]) {
        const seen = JSON.parse(
          bodyOf(await attacked.rawGet(`${BASE}${path}${sent}`)).replace(/^[0-9a-f]+\r\n|\r\n0\r\n\r\n$/g, ''),
        ) as { url: string };
        expect(decodeURIComponent(seen.url)).toBe(`/api/v3${path}${decodeURIComponent(sent)}`.replace(/\?$/, ''));
      }
    expect(attacked.origin.hits.length).toBeLessThanOrEqual(2);
  });

  it('long targets that differ in their last byte alone are two', async () => {
    const long = `${path}/${'l'.repeat(4_000)}`;
    for (const end of ['a', 'b', 'a', 'b'])
      expect(reflectionOf(await attacked.through(long + end)).url).toMatch(new RegExp(`l${end}$`));
    expect(attacked.origin.hits).toHaveLength(2);
  });

  it('the key of a variant, asked for as a path, replaces and shows nothing', async () => {
    const before = await attacked.through(path);
    const { text } = await ask(attacked.service, `/admin/cache/entries?limit=1000&match=*${path.slice(1)}*`, {
      headers: ADMIN,
    });
    const variants = [...text.matchAll(/"(github:-:[^"]+\|[^"]+)"/g)].map(([, key]) => key!.slice('github:-:'.length));
    expect(variants).not.toHaveLength(0);
    for (const variant of variants) {
      const answer = await attacked.rawGet(`${BASE}${variant}`);
      expect(answer).toContain(`"url":"/api/v3${variant.replaceAll('|', '%7C')}"`);
    }
    expect((await attacked.through(path)).body).toEqual(before.body);
    expect(attacked.origin.hits).toHaveLength(1 + variants.length);
  });

  it('a Location elsewhere is passed on and not followed', async () => {
    const elsewhere = 'http://169.254.169.254/latest/meta-data/';
    attacked.origin.answerBy((response) => response.writeHead(302, { location: elsewhere }).end());
    const answer = await attacked.through(path);
    expect([answer.status, answer.headers.location]).toEqual([302, elsewhere]);
    expect(attacked.origin.hits).toHaveLength(1);
  });

  it('stays healthy', async () => {
    expect(await ask(attacked.service, '/health')).toMatchObject({ status: 200, json: { status: 'ok' } });
    expect(attacked.service.stderr()).toBe('');
    expect(await attacked.shown()).not.toContain(TOKEN_MARK);
  });
});
