import { GithubSimulator } from '../../simulator';
import { everythingLogged } from '../support/everything-logged';
import { ServiceProcess } from '../support/service-process';
import { ask } from './ask';

describe('admin tokens with names', () => {
  let github: GithubSimulator;
  let service: ServiceProcess;
  const as = (token: string, path: string, method = 'GET') =>
    ask(service, path, { method, headers: { authorization: `Bearer ${token}` } });

  beforeAll(async () => {
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
    expect(log.match(/"msg":"admin action".*"token":"deploy-2"/)).not.toBeNull();
    for (const token of tokens) expect([token, (log + text).includes(token)]).toEqual([token, false]);
  });

  it.each(['deploy', 'deploy:old-secret-1', 'alice', 'old-secret-2', 'old-secret-1,', ' '])(
    'are not shown by %j',
    async (guess) => expect((await as(guess, '/admin/audit')).status).toBe(401),
  );
});
