import { GithubSimulator } from '../../simulator';
import { everythingLogged } from '../support/everything-logged';
import { ServiceProcess } from '../support/service-process';
import { ask } from './ask';

describe('admin tokens with names', () => {
  let github: GithubSimulator;
  let service: ServiceProcess;
  let startedAt: number;
  const as = (token: string, path: string, method = 'GET') =>
    ask(service, path, { method, headers: { authorization: `Bearer ${token}` } });

  beforeAll(async () => {
    startedAt = performance.now();
    github = await GithubSimulator.start({ latencyMs: 0 });
    const ADMIN_TOKENS = 'deploy:old-secret-1, deploy-2:new-secret-2,alice:alices-secret';
    service = await ServiceProcess.start({
      env: { GITHUB_API_URL: github.url, ADMIN_TOKEN: 'plain-secret-0', ADMIN_TOKENS, NODE_ENV: 'production' },
    });
  });
  afterAll(async () => {
    await service.stop();
    await github.stop();
  });

  it('all work at once, so that one can be replaced by another, and the trail has their names', async () => {
    const tokens = ['plain-secret-0', 'old-secret-1', 'new-secret-2', 'alices-secret'];
    for (const token of tokens)
      expect((await as(token, `/admin/cache/entries/by-${token.length}`, 'DELETE')).status).toBe(200);
    const { json, text } = await as('alices-secret', '/admin/audit');
    const names = (json['items'] as { token: string }[]).map(({ token }) => token);
    expect(names).toEqual(['alice', 'deploy-2', 'deploy', 'admin']);
    const log = await everythingLogged(service);
    expect(log.match(/"msg":"admin action".*"target":"key .*"token":"deploy-2"/)).not.toBeNull();
    for (const token of tokens) expect([token, (log + text).includes(token)]).toEqual([token, false]);
  });

  it.each(['deploy', 'deploy:old-secret-1', 'alice', 'old-secret-2', 'old-secret-1,', ' '])(
    'are not shown by %j',
    async (guess) => expect((await as(guess, '/admin/audit')).status).toBe(401),
  );

  describe('have one line in the audit log for each request', () => {
    type Line = Readonly<Record<string, unknown>>;

    const linesOf = async (requestId: string): Promise<Line[]> =>
      (await everythingLogged(service))
        .split('\n')
        .filter((line) => line.includes('"admin action"') && line.includes(`"${requestId}"`))
        .map((line) => JSON.parse(line) as Line);
    const send = async (method: string, path: string, requestId: string, token?: string): Promise<number> => {
      const authorization = token === undefined ? undefined : `Bearer ${token}`;
      const headers = { 'x-request-id': requestId, ...(authorization !== undefined && { authorization }) };
      const closing = new AbortController();
      const init = { method, headers, redirect: 'manual', signal: closing.signal } as const;
      const { status } = await fetch(`${service.url}${path}`, init);
      closing.abort(); // the live events have no end
      return status;
    };

    it('with what was done, on what, and the outcome, and without a value that no route knows', async () => {
      const path = '/admin/cache/entries?match=none*&limit=5&password=looks-like-a-secret';
      expect(await send('GET', path, 'known-1', 'alices-secret')).toBe(400);
      expect(await send('GET', path.replace(/&password.*/, ''), 'known-2', 'alices-secret')).toBe(200);
      expect(await send('DELETE', '/admin/cache/tags/account:nobody', 'known-3', 'old-secret-1')).toBe(200);
      const list = { action: 'GET /admin/cache/entries', target: '/admin/cache/entries match=none* limit=5' };
      expect(await linesOf('known-1')).toEqual([expect.objectContaining({ ...list, outcome: 'invalid', status: 400 })]);
      expect(await linesOf('known-2')).toEqual([expect.objectContaining({ ...list, outcome: 'done', token: 'alice' })]);
      expect(await linesOf('known-3')).toEqual([
        expect.objectContaining({
          ...{ action: 'DELETE /admin/cache/tags/*', target: 'tag account:nobody', mode: 'purge', count: 0 },
          ...{ outcome: 'done', status: 200, by: '127.0.0.1', token: 'deploy', level: 'info' },
        }),
      ]);
      expect(await everythingLogged(service)).not.toContain('looks-like-a-secret');
    });

    it('for too many wrong tokens too, up to a hundred lines a minute', async () => {
      const statuses = await Promise.all(
        Array.from({ length: 150 }, (_, n) => send('GET', '/admin/audit', `guess-${n}`, `guess-${n}`)),
      );
      const refused = statuses.flatMap((status, n) => (status === 429 ? [n] : []));
      expect(refused.length).toBeGreaterThan(100);
      const log = await everythingLogged(service);
      const lines = log.split('\n').filter((line) => line.includes('"outcome":"refused"'));
      expect(lines.length).toBeGreaterThanOrEqual(100);
      const minutes = Math.ceil((performance.now() - startedAt) / 60_000); // one, unless the machine is very slow
      expect(lines.length).toBeLessThanOrEqual(100 * minutes);
      expect(lines.filter((line) => line.includes('"status":429')).length).toBeGreaterThan(10);
      expect((await as('alices-secret', '/admin/audit')).status).toBe(200);
    });
  });
});
