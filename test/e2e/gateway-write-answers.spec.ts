import { randomUUID } from 'node:crypto';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { request } from '../support/raw-http';
import { RedisProcess } from '../support/redis-process';
import { ScriptedOrigin } from '../support/scripted-origin';
import { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';
import { ask } from './ask';

const API = 'https://api.github.com';
const OWNER = { authorization: 'Bearer ghp_owner_secret' };
const MONA = { authorization: 'Bearer ghp_mona_secret' };
const ISSUES = '/github/repos/acme/tool/issues';
const UNRELATED = '/github/repos/other/kept/issues';

interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** Sent without a length, in two parts. */
  readonly isChunked?: boolean;
  /** Never sent. */
  readonly isHeld?: boolean;
  /** The end waits for `resume`. */
  readonly isPaused?: boolean;
}

describe.each([
  ['in memory', false],
  ['across two replicas', true],
])("what a write's answer names, %s,", (_where, isShared) => {
  let github: ScriptedOrigin;
  let redis: RedisProcess | undefined;
  let services: ServiceProcess[];
  let reply: Reply;
  let resume = (): void => undefined;
  let repos = 1;

  beforeAll(async () => {
    github = await ScriptedOrigin.start((response, { method, url }) => {
      if (method === 'GET' || method === 'HEAD') {
        response.setHeader('cache-control', 'public, max-age=3600');
        response.setHeader('content-type', 'application/json');
        response.setHeader('etag', `"${repos}"`);
        const [, , login = ''] = url.split('/');
        return response.end(JSON.stringify({ login, id: 5, public_repos: repos, url }));
      }
      const { status = 201, headers = {}, body = '', isChunked = false, isHeld = false, isPaused = false } = reply;
      if (isHeld) return;
      if (body.length > 0) response.setHeader('content-type', 'application/json; charset=utf-8');
      response.writeHead(status, headers);
      if (!isChunked && !isPaused) return response.end(body);
      response.write(body.slice(0, 5));
      const end = (): void => void response.end(body.slice(5));
      if (isPaused) resume = end;
      else setImmediate(end);
    });
    if (isShared) redis = await RedisProcess.start();
    const env = {
      GITHUB_API_URL: github.url,
      CREDENTIAL_SECRET: 'a-secret-of-the-tests',
      GITHUB_SETTLE_SECONDS: '0',
      ...(redis === undefined ? {} : { REDIS_ENDPOINT_URI: redis.uri }),
    };
    services = await Promise.all((isShared ? [1, 2] : [1]).map(() => ServiceProcess.start({ env })));
    if (isShared)
      for (const service of services)
        await waitUntil(async () => (await ask(service, '/health')).text.includes('"state":"up"'), { what: 'Redis' });
  });
  afterAll(async () => {
    await Promise.all(services.map((service) => service.stop()));
    await Promise.all([github.stop(), redis?.stop()]);
  });

  const read = (path: string, headers: Record<string, string>) => ask(services.at(-1)!, path, { headers });
  const isStored = async (path: string, headers: Record<string, string>): Promise<boolean> =>
    (await read(path, { ...headers, 'cache-control': 'only-if-cached' })).status === 200;
  const load = async (path: string): Promise<void> => {
    for (const headers of [MONA, {}])
      await waitUntil(
        async () => {
          await read(path, headers);
          return isStored(path, headers);
        },
        { what: `${path} to be stored` },
      );
  };
  const write = (method: string, path: string, sent: object | undefined, answer: Reply) => {
    reply = answer;
    const headers = { ...OWNER, 'content-type': 'application/json' };
    const body = sent === undefined ? {} : { body: JSON.stringify(sent) };
    return request(`${services[0]!.url}/github${path}`, { method, headers, ...body });
  };
  /** Across replicas the push may take a moment. */
  const expectGone = async (path: string): Promise<void> => {
    for (const headers of [MONA, {}]) {
      if (isShared) await waitUntil(async () => !(await isStored(path, headers)), { what: `${path} to be gone` });
      else expect([path, await isStored(path, headers)]).toEqual([path, false]);
    }
  };
  const expectKept = async (path: string): Promise<void> => {
    for (const headers of [MONA, {}]) expect([path, await isStored(path, headers)]).toEqual([path, true]);
  };
  const json = (value: unknown): string => JSON.stringify(value);
  const repository = (name: string): object => ({ id: 9, full_name: name, owner: { login: name.split('/')[0] } });

  it.each<[string, string, object | undefined, (name: string) => Reply, (name: string) => readonly string[]]>([
    [
      'PATCH',
      '/repositories/9',
      { private: true },
      (name) => ({ status: 200, body: json(repository(name)) }),
      (name) => [`/repos/${name}`, `/repos/${name}/contents/key`, '/repositories/9/issues'],
    ],
    [
      'POST',
      '/repositories/9/issues',
      { title: 'x' },
      (name) => ({ body: json({ repository_url: `${API}/repos/${name}` }) }),
      (name) => [`/repos/${name}/issues`, '/repositories/9/issues'],
    ],
    [
      'PATCH',
      '/repos/acme/tool',
      { name: 'r' },
      (name) => ({ body: json(repository(name)) }),
      () => ['/repositories/9'],
    ],
    [
      'PATCH',
      '/organizations/7',
      {},
      (name) => ({ status: 200, body: json({ id: 7, login: name.split('/')[0] }) }),
      (name) => [`/orgs/${name.split('/')[0]}`, `/orgs/${name.split('/')[0]}/members`],
    ],
    [
      'POST',
      '/user/repos',
      { name: 'r' },
      (name) => ({ body: json(repository(name)) }),
      (name) => [
        `/repos/${name}`,
        `/users/${name.split('/')[0]}`,
        `/users/${name.split('/')[0]}/repos`,
        '/user/5/repos',
      ],
    ],
    [
      'POST',
      '/repos/acme/tool/forks',
      undefined,
      (name) => ({ status: 202, body: json(repository(name)) }),
      (name) => [`/repos/${name}`, `/repos/${name}/issues`, `/users/${name.split('/')[0]}/repos`],
    ],
    [
      'POST',
      '/repos/acme/tool/generate',
      { name: 'r' },
      (name) => ({ body: json(repository(name)) }),
      (name) => [`/repos/${name}`, `/users/${name.split('/')[0]}`],
    ],
    [
      'POST',
      '/graphql',
      { query: 'mutation { createRepository(input: {}) { repository { nameWithOwner } } }' },
      (name) => ({ status: 200, body: json({ data: { createRepository: { repository: { nameWithOwner: name } } } }) }),
      (name) => [`/repos/${name}`, `/users/${name.split('/')[0]}/repos`],
    ],
    [
      'POST',
      '/graphql',
      { query: 'mutation { createIssue(input: {}) { issue { url } } }' },
      (name) => ({
        status: 200,
        body: json({ data: { createIssue: { issue: { url: `https://github.com/${name}/issues/1` } } } }),
      }),
      (name) => [`/repos/${name}/issues`, `/repos/${name}`],
    ],
    [
      'POST',
      '/user/repos',
      { name: 'r' },
      (name) => ({
        body: gzipSync(json({ ...repository(name), more: 'x'.repeat(400_000) })),
        headers: { 'content-encoding': 'gzip' },
      }),
      (name) => [`/repos/${name}`],
    ],
    [
      'POST',
      '/user/repos',
      { name: 'r' },
      (name) => ({ body: brotliCompressSync(json(repository(name))), headers: { 'content-encoding': 'br' } }),
      (name) => [`/repos/${name}`],
    ],
    [
      'POST',
      '/user/repos',
      {},
      (name) => ({ body: json(repository(name)), isChunked: true }),
      (name) => [`/repos/${name}`],
    ],
  ])('is gone for other callers, and nothing else: %s %s %j', async (method, path, sent, answer, reads) => {
    const name = `me${randomUUID().slice(0, 8)}/r`;
    const paths = reads(name).map((one) => `/github${one}`);
    for (const one of [...paths, UNRELATED]) await load(one);
    const said = answer(name);
    const { status, body } = await write(method, path, sent, said);
    expect([status, body]).toEqual([said.status ?? 201, Buffer.from(said.body ?? '')]);
    for (const one of paths) await expectGone(one);
    await expectKept(UNRELATED);
  });

  it.each<[string, string, string, object | undefined, Reply]>([
    ['without a body', 'DELETE', '/repositories/9/issues/comments/5', undefined, { status: 204 }],
    ['that accepts an invitation', 'PATCH', '/user/repository_invitations/5', undefined, { status: 204 }],
    ['that is no JSON', 'PATCH', '/repositories/9', {}, { body: '<html>' }],
    ['that is too large', 'POST', '/user/repos', {}, { body: json({ full_name: 'a/b', x: 'x'.repeat(300_000) }) }],
    [
      'that is large and has no length',
      'POST',
      '/user/repos',
      {},
      { body: `{"x":"${'x'.repeat(300_000)}"}`, isChunked: true },
    ],
    ['in an unknown coding', 'PATCH', '/repositories/9', {}, { body: 'zzz', headers: { 'content-encoding': 'zz' } }],
    [
      'that names a thousand',
      'PATCH',
      '/repositories/9',
      {},
      {
        body: json(
          Array.from({ length: 1_000 }, (_one, at) => repository(`o/r${at}`)).map((one) => ({ ...one, id: 1 })),
        ),
      },
    ],
    [
      'that does not say what it made',
      'POST',
      '/graphql',
      { query: 'mutation { createRepository(input: {}) { repository { id } } }' },
      { status: 200, body: '{"data":{"createRepository":{"repository":{"id":"x"}}}}' },
    ],
    ['that failed and may be done', 'PATCH', '/repositories/9', {}, { status: 502 }],
  ])(
    'may be anything for an answer %s: nothing is served as fresh afterwards',
    async (_what, method, path, sent, answer) => {
      await read('/github/user', OWNER); // its token is accepted
      await load(ISSUES);
      const { status, body } = await write(method, path, sent, answer);
      expect([status, body]).toEqual([answer.status ?? 201, Buffer.from(answer.body ?? '')]);
      await expectGone(ISSUES);
      const hits = github.hits.length;
      const again = await read(ISSUES, MONA);
      expect([again.status, github.hits.at(-1)?.headers['if-none-match'], github.hits.length]).toEqual([
        200,
        `"${repos}"`,
        hits + 1,
      ]);
    },
  );

  it.each<[string, string, string, object | undefined, Reply]>([
    ['is refused', 'PATCH', '/repositories/9', {}, { status: 422, body: json(repository('acme/tool')) }],
    ['was redirected', 'PATCH', '/repositories/9', {}, { status: 307, headers: { location: '/repositories/10' } }],
    [
      'is refused by GraphQL',
      'POST',
      '/graphql',
      { query: 'mutation { createRepository(input: {}) { repository { id } } }' },
      {
        status: 200,
        body: json({ data: { createRepository: null }, errors: [{ type: 'FORBIDDEN', path: ['createRepository'] }] }),
      },
    ],
  ])('stays where the write %s', async (_what, method, path, sent, answer) => {
    await load(ISSUES);
    expect((await write(method, path, sent, answer)).status).toBe(answer.status);
    await expectKept(ISSUES);
  });

  it.each([
    ['stays where a client with a token that GitHub has never accepted', false],
    ['may be anything where a client with a good token', true],
  ])('%s leaves before its write is answered', async (_what, isAccepted) => {
    const headers = { authorization: `Bearer ghp_${randomUUID()}`, 'content-type': 'application/json' };
    if (isAccepted) await ask(services[0]!, '/github/user', { headers });
    await load(ISSUES);
    reply = { isHeld: true };
    const [hits, aborted, client] = [github.hits.length, github.aborted, new AbortController()];
    const options = { method: 'PATCH', headers, body: '{}', signal: client.signal };
    const left = request(`${services[0]!.url}/github/repositories/9`, options).catch(() => undefined);
    await waitUntil(() => github.hits.length > hits, { what: 'the write to be sent' });
    client.abort();
    await left;
    await waitUntil(() => github.aborted > aborted, { what: 'the write to be cut off' });
    if (isAccepted) await waitUntil(async () => !(await isStored(ISSUES, MONA)), { what: 'the purge' });
    else {
      await write('POST', '/repos/acme/other/issues', {}, {}); // time for a purge that must not come
      await expectKept(ISSUES);
    }
  });

  const writeSlowly = async (path: string) => {
    reply = { body: '{"slow":1}', isPaused: true };
    const headers = { ...OWNER, 'content-type': 'application/json' };
    const answer = await fetch(`${services[0]!.url}/github${path}`, { method: 'POST', headers, body: '{}' });
    return { status: answer.status, rest: () => (resume(), answer.text()) };
  };

  it.each([
    ['is not waited for where the request tells everything', '/repos/acme/other/issues', true],
    ['goes on to its client after a second where it comes slowly, and may be anything', '/user/repos', false],
  ])('%s', async (_what, path, isKept) => {
    await load(ISSUES);
    const { status, rest } = await writeSlowly(path); // has come while the end of the body is held back
    expect(status).toBe(201);
    if (isKept) await expectKept(ISSUES);
    else await expectGone(ISSUES);
    expect(await rest()).toBe('{"slow":1}');
  });

  it.each<[string, object, Reply]>([
    ['/user/repos', { name: 'r' }, { body: json(repository('counted/r')) }],
    ['/repos/o/r/forks', {}, { status: 202, body: json(repository('counted/r')) }],
    ['/repos/o/r/generate', { name: 'r' }, { body: json(repository('counted/r')) }],
    [
      '/graphql',
      { query: 'mutation { createRepository(input: {}) { repository { nameWithOwner } } }' },
      { status: 200, body: json({ data: { createRepository: { repository: { nameWithOwner: 'counted/r' } } } }) },
    ],
    [
      '/graphql',
      { query: 'mutation { createRepository(input: {}) { clientMutationId } }' },
      { status: 200, body: json({ data: { createRepository: {} } }) },
    ],
  ])('is counted at once at /repos/:account: POST %s %j', async (path, sent, answer) => {
    const count = async () => (await ask(services.at(-1)!, '/repos/counted')).json['repos'];
    await waitUntil(async () => (await count()) === repos, { what: 'the count before' });
    repos += 1;
    await write('POST', path, sent, answer);
    if (isShared) await waitUntil(async () => (await count()) === repos, { what: 'the count after' });
    else expect(await count()).toBe(repos);
  });
});
