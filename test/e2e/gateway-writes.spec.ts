import { GithubSimulator } from '../../simulator';
import { ScriptedOrigin } from '../support/scripted-origin';
import { ServiceProcess } from '../support/service-process';
import { ask, start } from './ask';

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

  it('is told from a query, which leaves everything as it is', async () => {
    for (let times = 0; times < 2; times++) await read('/repos/redis/kept/issues');
    await run('query mutation { viewer { login } }');
    await run('query Q { viewer { login } } mutation M { removeStar { x } }', {}, { operationName: 'Q' });
    expect((await read('/repos/redis/kept/issues')).headers['x-cache']).toBe('HIT');
  });
});

describe.each([
  ['of one process', '1'],
  ['of two workers', '2'],
])('access that a write has ended, in the memory %s,', (_where, workers) => {
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
  ])('reads nothing any more: DELETE %s, then %s', async (write, path) => {
    const stored = async () => {
      const headers = { ...MONA, 'cache-control': 'only-if-cached' };
      return (await ask(service, `/github${path}`, { headers })).status;
    };
    await ask(service, `/github${path}`, { headers: MONA });
    expect(await stored()).toBe(200);
    expect((await ask(service, `/github${write}`, { method: 'DELETE', headers: OWNER })).status).toBe(204);
    expect(await stored()).toBe(504);
  });
});
