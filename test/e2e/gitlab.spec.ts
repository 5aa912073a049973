import { createHmac } from 'node:crypto';
import { Gitlab } from '@gitbeaker/rest';
import { GitlabSimulator } from '../../simulator';
import { request } from '../support/raw-http';
import { RedisProcess } from '../support/redis-process';
import { ServiceProcess } from '../support/service-process';
import { ADMIN, ask } from './ask';

const ROOT = 'glpat-root-0123456789abcdef';
const ALICE = 'glpat-alice-0123456789abcde';
const [BY_ID, BY_PATH] = ['/projects/42', '/projects/platform%2Fdeploy%2Fgateway'];
const SIGNING_KEY = Buffer.alloc(32, 7).toString('base64');

describe('GitLab', () => {
  let gitlab: GitlabSimulator;
  let redis: RedisProcess;
  let service: ServiceProcess;
  const start = async (env: Record<string, string> = {}) => {
    const service = await ServiceProcess.start({
      env: {
        ...{ GITLAB_ENABLED: 'true', GITLAB_API_URL: gitlab.url, GITLAB_SETTLE_SECONDS: '0', LOG_LEVEL: 'debug' },
        ...{ GITLAB_WEBHOOK_SECRET: `a-secret-token,whsec_${SIGNING_KEY}`, CREDENTIAL_SECRET: 'of-the-tests' },
        ...{ ADMIN_TOKEN: 'test-admin-token', REDIS_ENDPOINT_URI: redis.uri, UPSTREAM_BREAKER_FAILURES: '1000' },
        ...env,
      },
    });
    await service.untilRedisIsUp();
    return service;
  };

  beforeAll(async () => {
    [gitlab, redis] = await Promise.all([GitlabSimulator.start(), RedisProcess.start()]);
    service = await start();
    await service.waitForLog(/Connected/);
  });
  beforeEach(async () => {
    await ask(service, '/admin/cache/tags/upstream:gitlab', { method: 'DELETE', headers: ADMIN });
    gitlab.requests.reset();
  });
  afterAll(async () => {
    await service.stop();
    await Promise.all([gitlab.stop(), redis.stop()]);
  });

  const get = async (path: string, headers: Record<string, string> = {}) => {
    const { status, headers: fields, body } = await request(`${service.url}/gitlab${path}`, { headers });
    const text = body.toString();
    const json = /^[[{]/.test(text) ? (JSON.parse(text) as Record<string, unknown>) : {};
    return { status, fields, text, json, cache: fields['x-cache'] };
  };
  const send = async (method: string, path: string, body: object, headers: Record<string, string> = {}) =>
    request(`${service.url}${path}`, {
      ...{ method, body: JSON.stringify(body) },
      headers: { 'content-type': 'application/json', 'private-token': ROOT, ...headers },
    });
  const purge = (tag: string) =>
    ask(service, `/admin/cache/tags/${encodeURIComponent(tag)}`, { method: 'DELETE', headers: ADMIN });
  /** What is served from the cache, after everything was. */
  const kept = async (...paths: readonly string[]): Promise<(string | undefined)[]> =>
    Promise.all(paths.map(async (path) => String((await get(path)).cache)));
  const store = async (...paths: readonly string[]): Promise<void> => {
    for (let times = 0; times < 2; times++) await kept(...paths);
  };

  describe('by @gitbeaker/rest', () => {
    type Client = InstanceType<typeof Gitlab<false>>;
    const directly = (token = ROOT): Client => new Gitlab({ host: gitlab.origin, token });
    const through = (token = ROOT): Client => new Gitlab({ host: `${service.url}/gitlab`, token });
    const reads = async (client: Client): Promise<unknown[]> => [
      await client.Projects.show(42),
      await client.Projects.show('platform/deploy/gateway'),
      await client.Projects.all({ search: 'platform' }),
      await client.Issues.all({ projectId: 42, perPage: 20 }),
      await client.Issues.all({ projectId: 42, perPage: 20, page: 2, showExpanded: true }),
      await client.Branches.all('platform/deploy/gateway'),
      await client.RepositoryFiles.show(42, 'docs/README.md', 'main'),
      await client.Users.showCurrentUser(),
    ];

    it('reads the same as from GitLab, page by page, and the second time without it', async () => {
      const direct = await reads(directly());
      const asked = gitlab.requests.count();
      gitlab.requests.reset();
      expect(await reads(through())).toEqual(direct);
      const loads = gitlab.requests.count();
      expect(loads).toBe(asked - 1); // one page was in two of the lists
      expect(await reads(through())).toEqual(direct);
      expect(gitlab.requests.count()).toBe(loads);
      expect(direct[3]).toHaveLength(45);
    });

    it('sees what it has written, by the other name too', async () => {
      const client = through();
      const title = async () => (await client.Issues.show(1, { projectId: 'platform/docs' })).title;
      const titles = async () => (await client.Issues.all({ projectId: 43 })).map((issue) => issue.title);
      expect([await title(), (await titles()).length]).toEqual(['Issue 1', 3]);
      await client.Issues.edit('platform/docs', 1, { title: 'by its path' });
      expect([await title(), await titles()]).toEqual(['by its path', ['by its path', 'Issue 2', 'Issue 3']]);
      await client.Issues.edit(43, 1, { title: 'by its id' });
      expect([await title(), (await titles())[0]]).toEqual(['by its id', 'by its id']);
      const { iid } = await client.Issues.create(43, 'The cache is too fast');
      expect(await titles()).toHaveLength(4);
      await client.Issues.remove('platform/docs', iid); // the answer to a DELETE names nothing
      expect(await titles()).toHaveLength(3);
      await client.Branches.all(43);
      await client.Branches.create('platform/docs', 'next', 'main');
      expect((await client.Branches.all(43)).map(({ name }) => name)).toEqual(['main', 'next']);
      await client.Projects.edit(43, { path: 'platform/manual' });
      await expect(client.Projects.show('platform/docs')).rejects.toThrow('404 Project Not Found');
      await client.Projects.edit(43, { path: 'platform/docs' });
      await expect(client.Projects.show('platform/new')).rejects.toThrow('404 Project Not Found');
      await client.Projects.create({ name: 'new' });
      expect(await client.Projects.show('platform/new')).toMatchObject({ path: 'new' });
    });

    it('gets the statuses and words of GitLab', async () => {
      const refused = (client: Client, name: string) => client.Projects.show(name).catch((error: unknown) => error);
      for (const client of [directly(ALICE), through(ALICE), through(ALICE)])
        expect(await refused(client, 'security/secrets')).toMatchObject({
          cause: { description: '404 Project Not Found', response: { status: 404 } },
        });
      expect(await refused(through('glpat-nobody-0123456789abcdef'), 'platform/docs')).toMatchObject({
        cause: { description: '401 Unauthorized', response: { status: 401 } },
      });
    });

    it('shares nothing between two tokens', async () => {
      const [root, alice] = [through(ROOT), through(ALICE)];
      const seen = async (client: Client) => (await client.Projects.all()).map(({ path_with_namespace: path }) => path);
      for (let times = 0; times < 2; times++) {
        expect(await seen(root)).toContain('security/secrets');
        expect(await seen(alice)).not.toContain('security/secrets');
        expect(await alice.Users.showCurrentUser()).toMatchObject({ username: 'alice' });
      }
    });
  });

  it('gives each credential its own partition, in all its spellings, and acts for whom it says', async () => {
    const me = async (headers: Record<string, string>, query = '') => {
      const { json, cache } = await get(`/user${query}`, headers);
      return [json['username'], cache];
    };
    expect(await me({ 'private-token': ROOT })).toEqual(['root', 'MISS']);
    expect(await me({ 'Private-Token': ALICE })).toEqual(['alice', 'MISS']);
    expect(await me({}, `?private_token=${ALICE}`)).toEqual(['alice', 'HIT']);
    expect(await me({ authorization: 'Bearer oauth-of-alice' })).toEqual(['alice', 'MISS']);
    expect(await me({ authorization: 'bearer  oauth-of-alice' })).toEqual(['alice', 'HIT']);
    expect(await me({}, '?access_token=oauth-of-alice')).toEqual(['alice', 'HIT']);
    expect(await me({ 'job-token': 'job-of-alice' })).toEqual(['alice', 'MISS']);
    expect(await me({}, '?job_token=job-of-alice')).toEqual(['alice', 'HIT']);
    for (const cache of ['MISS', 'HIT', 'HIT']) {
      expect(await me({ 'private-token': ROOT, sudo: 'bob' })).toEqual(['bob', cache]);
      expect(await me({ 'private-token': ROOT, sudo: 'carol' })).toEqual(['carol', cache]);
      expect(await me({ 'private-token': ROOT })).toEqual(['root', 'HIT']);
    }
    expect(await me({})).toEqual([undefined, expect.anything()]);
  });

  it('shows no token in a key, log line, metric or header field', async () => {
    const secrets = [ALICE, 'oauth-of-alice', 'job-of-alice'];
    const page = (query: string) => get(`/projects/42/issues?per_page=5&page=2&${query}`);
    const names = ['private_token', 'access_token', 'job_token'];
    const seen = await Promise.all(names.map((name, at) => page(`${name}=${secrets[at] ?? ''}`)));
    for (const { status, fields } of seen) {
      expect([status, fields['x-next-page']]).toEqual([200, '3']);
      expect(fields['link']).toContain(`<${service.url}/gitlab/projects/42/issues?per_page=5&page=3>; rel="next"`);
    }
    const inPath = await get(`/projects/42/repository/files/${ALICE}`);
    expect(inPath).toMatchObject({ status: 400, json: { message: expect.stringMatching(/^400 .+ token/) as string } });
    const shown = await Promise.all(
      ['/metrics', '/admin/cache/entries?match=*', '/gitlab-budget', '/admin/audit', '/page.json'].map(
        async (path) => (await request(service.url + path, { headers: ADMIN })).body,
      ),
    );
    const everything = [
      ...[...seen, inPath].map(({ fields }) => JSON.stringify(fields)),
      ...[...shown.map(String), service.stdout(), service.stderr(), await redis.cli('--scan')],
    ].join('\n');
    expect(everything).toContain('gitlab:');
    for (const secret of secrets) expect(everything).not.toContain(secret);
  });

  it.each([['gitlab:project:42'], ['gitlab:project:platform/deploy/gateway']])(
    'has one project under its id and its path: a purge of %s removes both, and no other',
    async (tag) => {
      const other = '/projects/platform%2Fdocs/pipelines';
      await store(BY_ID, BY_PATH, `${BY_ID}/issues`, `${BY_PATH}/issues`, '/projects/43', other);
      await purge(tag);
      expect(await kept(BY_ID, BY_PATH, `${BY_ID}/issues`, `${BY_PATH}/issues`)).toEqual(Array(4).fill('MISS'));
      if (tag.endsWith('gateway')) expect(await kept(other)).toEqual(['HIT']);
      else expect(await kept('/projects/43')).toEqual(['HIT']);
    },
  );

  it('stores no response with secrets in it, and purges as before, where slashes are doubled', async () => {
    const secrets = ['/variables', '//variables', '//variables/'].map((end) => BY_ID + end);
    const doubled = [`/${BY_ID}/pipelines`, `${BY_ID}//pipelines`, '/projects//42//pipelines'];
    await store(...secrets, ...doubled);
    expect(await kept(...secrets, ...doubled)).toEqual(['MISS', 'MISS', 'MISS', 'HIT', 'HIT', 'HIT']);
    const job = { object_kind: 'build', project: { id: 42, path_with_namespace: 'platform/deploy/gateway' } };
    const fields = {
      'x-gitlab-event': 'Job Hook',
      'x-gitlab-event-uuid': 'doubled',
      'x-gitlab-token': 'a-secret-token',
    };
    await send('POST', '/webhooks/gitlab', job, fields);
    expect(await kept(...doubled)).toEqual(['MISS', 'MISS', 'MISS']);
  });

  describe('takes webhooks', () => {
    const project = { id: 42, path_with_namespace: 'platform/deploy/gateway' };
    let sequence = 0;
    const deliver = async (event: string, payload: object, headers?: Record<string, string>) => {
      const { status, body } = await send('POST', '/webhooks/gitlab', payload, {
        ...{ 'x-gitlab-event': event, 'x-gitlab-event-uuid': `uuid-${++sequence}` },
        ...(headers ?? { 'x-gitlab-token': 'a-secret-token' }),
      });
      return { status, json: JSON.parse(body.toString()) as Record<string, unknown> };
    };
    const ALL = ['', '/issues', '/pipelines', '/repository/branches'].flatMap((end) => [BY_ID + end, BY_PATH + end]);

    it.each([
      ['Push Hook', { object_kind: 'push', project_id: 42, project }, []],
      ['Merge Request Hook', { object_kind: 'merge_request', project, object_attributes: { target: project } }, []],
      ['Issue Hook', { object_kind: 'issue', project, object_attributes: { iid: 1 } }, ['/pipelines', '/repository']],
      ['Job Hook', { object_kind: 'build', project_id: 42, project }, ['/issues', '']],
      ['System Hook', { event_name: 'project_update', project_id: 42, ...project }, []],
    ])('%s removes what it changes by both names', async (event, payload, untouched) => {
      const other = ['/projects/43', '/projects/platform%2Fdocs/issues'];
      await store(...ALL, ...other);
      expect(await deliver(event, payload)).toMatchObject({ status: 202, json: { event, status: 'done' } });
      const areaOf = (path: string) => path.replace(BY_ID, '').replace(BY_PATH, '').replace('/branches', '');
      const hits = ALL.map((path) => ((untouched as string[]).includes(areaOf(path)) ? 'HIT' : 'MISS'));
      expect(await kept(...ALL)).toEqual(hits);
      expect(await kept(...other)).toEqual(['HIT', 'HIT']);
    });

    it('by the token or by a signature, each with a secret of its own, and by nothing else', async () => {
      const payload = { object_kind: 'push', project };
      const signed = (key: string, id = 'msg-1') => {
        const at = String(Math.floor(Date.now() / 1_000));
        const text = `${id}.${at}.${JSON.stringify(payload)}`;
        const signature = `v1,${createHmac('sha256', Buffer.from(key, 'base64')).update(text).digest('base64')}`;
        return { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signature };
      };
      expect(await deliver('Push Hook', payload, signed(SIGNING_KEY))).toMatchObject({ status: 202 });
      const wrong: [headers: Record<string, string>, detail: string][] = [
        [
          {},
          'missing or empty, of which some suffice: webhook-id, webhook-timestamp, webhook-signature, X-Gitlab-Token.',
        ],
        [{ 'x-gitlab-token': 'another-token' }, 'does not match a configured secret (X-Gitlab-Token).'],
        [signed(Buffer.alloc(32, 8).toString('base64')), 'does not match the delivery with any configured secret'],
      ];
      for (const [headers, detail] of wrong)
        expect(await deliver('Push Hook', payload, headers)).toMatchObject({
          status: 401,
          json: { detail: expect.stringContaining(detail) as string },
        });
    });
  });

  it('passes GraphQL on, never from the cache, and asks again what a mutation may have changed', async () => {
    await store(BY_ID, `${BY_ID}/issues`);
    const graphql = (query: string, title = 'by GraphQL') =>
      send('POST', '/gitlab/api/graphql', { query, variables: { path: 'platform/deploy/gateway', title } });
    for (let times = 0; times < 2; times++) {
      const { body } = await graphql('query { project { fullPath } }');
      expect(JSON.parse(body.toString())).toMatchObject({ data: { project: { fullPath: 'platform/deploy/gateway' } } });
    }
    expect(gitlab.requests.count(/graphql/)).toBe(2);
    expect(await kept(BY_ID)).toEqual(['HIT']);
    await graphql('mutation { createIssue }');
    expect((await get(`${BY_ID}/issues?per_page=100`)).text).toContain('by GraphQL');
    expect((await get(BY_ID)).json['open_issues_count']).toBe(46);
  });

  it('shows the limits of now, and refuses in GitLab’s words when they are spent', async () => {
    const token = { 'private-token': ALICE };
    await get(BY_ID, token);
    const hit = await get(BY_ID, token);
    expect([hit.cache, hit.fields['ratelimit-name']]).toEqual(['HIT', 'throttle_authenticated_api']);
    gitlab.limit = Number(hit.fields['ratelimit-observed']) + 1;
    await get('/version', token);
    const refused = await get(BY_PATH, token);
    gitlab.limit = 2_000;
    expect(refused).toMatchObject({
      status: 429,
      json: { message: expect.stringMatching(/^429 .+ of GitLab \(throttle/) as string },
    });
    expect(refused.fields).toMatchObject({
      'ratelimit-remaining': '0',
      'content-type': expect.stringContaining('application/json') as string,
    });
  });

  it('holds back one endpoint alone where that has a limit of its own', async () => {
    const token = { 'private-token': ROOT };
    const file = `${BY_ID}/repository/files/README.md?ref=main`;
    gitlab.spentEndpoint = /files/;
    expect((await get(file, token)).status).toBe(429);
    for (const other of [`${BY_PATH}/issues?labels=a`, `${BY_ID}/repository/branches?page=1`])
      expect((await get(other, token)).status).toBe(200);
    gitlab.requests.reset();
    expect(await get('/projects/43/repository/files/a', token)).toMatchObject({ status: 429 });
    expect(gitlab.requests.count()).toBe(0);
    gitlab.spentEndpoint = undefined;
  });

  it('serves what is stored while GitLab is down, although it is marked must-revalidate', async () => {
    await store(BY_ID);
    gitlab.isDown = true;
    await ask(service, '/admin/cache/invalidations', {
      ...{ method: 'POST', headers: { ...ADMIN, 'content-type': 'application/json' } },
      body: JSON.stringify({ tags: ['gitlab:project:42'], mode: 'stale' }),
    });
    expect(await get(BY_ID)).toMatchObject({ status: 200, json: { id: 42 } });
    expect((await get('/projects/43')).status).toBe(502);
    gitlab.isDown = false;
  });
});
