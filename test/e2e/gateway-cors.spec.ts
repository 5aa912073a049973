import type { HttpAnswer } from '../support/raw-http';
import { Hostilities, newPath } from './hostile';

const TOKEN = { GITHUB_TOKEN: 'ghp_the_service_itself', GITHUB_SHARE_TOKEN: 'true' };
const APP = 'https://app.example';
const OTHER = 'https://other.example';
const EVIL = 'https://evil.example';

describe.each<[string, Record<string, string>, readonly string[], readonly string[]]>([
  ['without a shared token, of any origin', {}, [APP, EVIL, 'null'], []],
  ['with a shared token, of no origin', TOKEN, [], [APP, EVIL, 'null', '*']],
  [
    'with a shared token, of those that are named',
    { ...TOKEN, CORS_ALLOWED_ORIGINS: `${APP}, ${OTHER}` },
    [APP, OTHER],
    [EVIL, 'null'],
  ],
  ['with a shared token, of any if that is said', { ...TOKEN, CORS_ALLOWED_ORIGINS: '*' }, [APP, EVIL], []],
  [
    'of those that are named',
    { CORS_ALLOWED_ORIGINS: APP },
    [APP],
    [OTHER, `${APP}.evil.example`, `${APP}:443`, 'http://app.example'],
  ],
  ['of none', { CORS_ALLOWED_ORIGINS: 'none' }, [], [APP]],
])('a web page may read what the gateway answers: %s', (_what, env, allowed, refused) => {
  let gateway: Hostilities;
  let path: string;
  const isAny = allowed.includes(EVIL);

  beforeAll(async () => {
    gateway = await Hostilities.start('', { GITHUB_SETTLE_SECONDS: '0', ...env });
  });
  beforeEach(() => {
    path = newPath();
    // As GitHub does, which knows nothing of the token that is shared.
    gateway.origin.answerBy((response, { url }) => {
      const cors = { 'access-control-allow-origin': '*', 'access-control-expose-headers': 'ETag', vary: 'Accept' };
      const caching = { 'cache-control': 'public, max-age=600', etag: '"a"' };
      response.writeHead(url.includes('missing') ? 404 : 200, { ...cors, ...caching }).end('ok');
    });
  });
  afterAll(async () => {
    await gateway.stop();
  });

  const corsOf = ({ headers }: HttpAnswer) =>
    Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('access-control-')));
  /** A miss, hits by both ways, a 304, an error of the API and one of the gateway's own. */
  const answersTo = async (origin: string): Promise<HttpAnswer[]> => {
    const answers: HttpAnswer[] = [];
    for (const more of [{}, {}, {}, {}, { 'if-none-match': '"a"' }, { range: 'bytes=0-0' }])
      answers.push(await gateway.through(path, { headers: { origin, ...more } }));
    answers.push(await gateway.through(`${path}/missing`, { headers: { origin } }));
    answers.push(await gateway.through(`${path}?token=x`, { headers: { origin } }));
    answers.push(await gateway.through(path, { method: 'POST', headers: { origin } }));
    return answers;
  };
  const preflight = (origin: string) =>
    gateway.through(path, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'GET' } });

  if (allowed.length > 0)
    it('every answer says so', async () => {
      await gateway.through(path); // what is stored was loaded by a request without an origin
      for (const origin of allowed) {
        for (const answer of await answersTo(origin)) {
          expect(answer.headers['access-control-allow-origin']).toBe(isAny ? '*' : origin);
          if (!isAny) expect(answer.headers.vary).toMatch(/Origin/);
        }
        expect(corsOf(await preflight(origin))).toMatchObject({
          'access-control-allow-methods': expect.stringContaining('PATCH'),
        });
      }
    });

  it('and no response to another page has a CORS field, even if the API sends one', async () => {
    for (const origin of [...allowed, ...refused])
      for (const answer of await answersTo(origin)) if (refused.includes(origin)) expect(corsOf(answer)).toEqual({});
    for (const origin of refused) {
      const answer = await preflight(origin);
      expect([answer.status, corsOf(answer)]).toEqual([204, {}]);
    }
    await gateway.through(path); // the last write has purged it
    const plain = await gateway.through(path);
    expect([plain.headers['x-cache'], plain.headers['x-content-type-options']]).toEqual(['HIT', 'nosniff']);
    expect(plain.headers['access-control-allow-origin']).toBe(isAny ? '*' : undefined);
    expect(plain.headers.vary).toBe(!isAny && allowed.length > 0 ? 'Accept, Origin' : 'Accept');
  });
});
