import { randomUUID } from 'node:crypto';
import { GithubSimulator } from '../../simulator';
import { ScriptedOrigin } from '../support/scripted-origin';
import { ServiceProcess } from '../support/service-process';
import { ask, start } from './ask';
import { waitUntil } from '../support/wait-until';

const OWNER = { authorization: 'Bearer ghp_owner_secret' };
const MONA = { authorization: 'Bearer ghp_mona_secret' };

describe('a GraphQL mutation', () => {
  let github: GithubSimulator;
  let service: ServiceProcess;

  beforeAll(async () => {
    github = await GithubSimulator.start({ latencyMs: 0 });
    service = await start(github, { CREDENTIAL_SECRET: 'a-secret-of-the-tests' });
  });
  afterAll(async () => {
    await service.stop();
    await github.stop();
  });

  const read = (path: string) => ask(service, `/github${path}`, { headers: OWNER });
  const run = async (query: string, variables: object = {}, more: object = {}) => {
    const headers = { ...OWNER, 'content-type': 'application/json' };
    const body = JSON.stringify({ query, variables, ...more });
    const { json } = await ask(service, '/github/graphql', { method: 'POST', headers, body });
    return json as { readonly data: Record<string, Record<string, unknown>> };
  };
  const idOf = async (name: string): Promise<string> =>
    String((await run(`{ repository(owner: "redis", name: "${name}") { id } }`)).data['repository']?.['id']);
  const CREATE = 'mutation M($i: CreateIssueInput!) { createIssue(input: $i) { issue { number } } }';

  it('shows in what its caller reads by REST, each time', async () => {
    const repositoryId = await idOf('docs');
    for (const title of ['First', 'Second', 'Third']) {
      for (let times = 0; times < 2; times++) await read('/repos/redis/docs/issues?per_page=100');
      const made = await run(CREATE, { i: { repositoryId, title } });
      expect(made).toMatchObject({ data: { createIssue: { issue: {} } } });
      expect((await read('/repos/redis/docs/issues?per_page=100')).text).toContain(`"${title}"`);
    }
  });

  it('shows, however large it is', async () => {
    const input = { repositoryId: await idOf('large'), title: 'Large', body: 'x'.repeat(200_000) };
    await read('/repos/redis/large/issues?per_page=100');
    await run(CREATE, { i: input });
    expect((await read('/repos/redis/large/issues?per_page=100')).text).toContain('"Large"');
  });

  it('is distinguished from a query, which changes nothing', async () => {
    for (let times = 0; times < 2; times++) await read('/repos/redis/kept/issues');
    await run('query mutation { viewer { login } }');
    await run('query Q { viewer { login } } mutation M { removeStar { x } }', {}, { operationName: 'Q' });
    expect((await read('/repos/redis/kept/issues')).headers['x-cache']).toBe('HIT');
  });
});

describe.each([
  ['of one process', '1'],
  ['of two workers', '2'],
])('what a write leaves, in the memory %s,', (_where, workers) => {
  let github: ScriptedOrigin;
  let service: ServiceProcess;

  beforeAll(async () => {
    github = await ScriptedOrigin.start((response, { method }) => {
      response.setHeader('cache-control', 'private, max-age=3600');
      if (method === 'GET') response.end('{"secret":1}');
      else response.writeHead(204).end();
    });
    service = await ServiceProcess.start({
      env: { GITHUB_API_URL: github.url, CREDENTIAL_SECRET: 'a-secret-of-the-tests', WORKERS: workers },
    });
  });
  afterAll(async () => {
    await service.stop();
    await github.stop();
  });

  it.each([
    ['/orgs/acme/members/mona', '/repos/acme/secret/contents/key'],
    ['/orgs/acme/memberships/mona', '/repos/acme/secret/contents/key'],
    ['/orgs/acme/outside_collaborators/mona', '/repos/acme/secret/issues'],
    ['/orgs/acme/teams/devs/memberships/mona', '/repos/acme/secret/issues'],
    ['/orgs/acme/teams/devs/repos/acme/secret', '/repos/acme/secret/pulls/1'],
    ['/repos/acme/secret/collaborators/mona', '/repos/acme/secret/contents/key'],
    ['/orgs/acme/members/mona', '/repositories/9/contents/key'],
    ['/orgs/acme', '/orgs/acme/repos'],
    ['/teams/5', '/repos/acme/secret/contents/key'],
    ['/teams/5/members/mona', '/user/repos'],
    ['/teams/5/repos/acme/secret', '/repos/acme/secret/issues'],
    ['/repositories/77', '/repos/acme/secret'],
    ['/repositories/77/collaborators/mona', '/repos/acme/secret/contents/key'],
    ['/organizations/7/members/mona', '/orgs/acme/repos'],
    ['/app/installations/5', '/repos/acme/secret/issues'],
    ['/applications/cid/grant', '/repos/acme/secret/issues'],
    ['/enterprises/corp/teams/t/memberships/mona', '/repos/acme/secret/issues'],
  ])('is nothing that ended access has loaded: DELETE %s, then %s', async (write, path) => {
    const stored = async () => {
      const headers = { ...MONA, 'cache-control': 'only-if-cached' };
      return (await ask(service, `/github${path}`, { headers })).status;
    };
    await ask(service, `/github${path}`, { headers: MONA });
    await waitUntil(async () => (await stored()) === 200, { what: 'the response is stored' });
    expect((await ask(service, `/github${write}`, { method: 'DELETE', headers: OWNER })).status).toBe(204);
    expect(await stored()).toBe(504);
  });

  const storedFor = async (path: string, headers: Record<string, string>): Promise<boolean> =>
    (await ask(service, path, { headers: { ...headers, 'cache-control': 'only-if-cached, max-stale' } })).status ===
    200;

  it.each<[string, string, (token: string) => object]>([
    ['DELETE', '/applications/cid/token', (token) => ({ access_token: token })],
    ['PATCH', '/applications/cid/token', (token) => ({ access_token: token })],
    ['POST', '/credentials/revoke', (token) => ({ credentials: ['ghp_another', token] })],
  ])(
    'is what other tokens have loaded, and not that of the token which it ends: %s %s',
    async (method, write, bodyOf) => {
      const [ended, other] = [`ghp_${randomUUID()}`, `ghp_${randomUUID()}`];
      const asEnded = { authorization: `token ${ended}` };
      const asOther = { authorization: `Bearer ${other}` };
      for (const headers of [asEnded, asOther]) await ask(service, '/github/user', { headers });
      const body = JSON.stringify(bodyOf(ended));
      const headers = { authorization: 'Basic Y2lkOnNlY3JldA==', 'content-length': String(body.length) };
      await ask(service, `/github${write}`, { method, headers, body });
      expect(await storedFor('/github/user', asEnded)).toBe(false);
      expect(await storedFor('/github/user', asOther)).toBe(true);
    },
  );

  it.each<[string, string, object, readonly string[]]>([
    ['POST', '/repos/o/r/forks', { organization: 'acme' }, ['/github/repos/acme/r', '/github/orgs/acme/repos']],
    ['POST', '/repos/o/r/transfer', { new_owner: 'acme' }, ['/github/repos/acme/r', '/github/users/acme']],
    ['POST', '/repos/o/r/generate', { owner: 'acme', name: 'x' }, ['/github/repos/acme/x', '/github/orgs/acme']],
    ['PATCH', '/repos/o/r', { name: 'r2' }, ['/github/repos/o/r2', '/github/users/o/repos']],
  ])('is nothing under the names that it makes: %s %s %j', async (method, write, body, made) => {
    for (const path of made) await ask(service, path, { headers: MONA });
    await ask(service, `/github${write}`, { method, headers: OWNER, body: JSON.stringify(body) });
    for (const path of made) expect(await storedFor(path, MONA)).toBe(false);
  });
});
