import { retry } from '@octokit/plugin-retry';
import { throttling } from '@octokit/plugin-throttling';
import { Octokit, type RestEndpointMethodTypes } from '@octokit/rest';
import { GithubSimulator } from '../../simulator';
import type { ServiceProcess } from '../support/service-process';
import { start } from './ask';

const Client = Octokit.plugin(throttling, retry);
const OWNER = 'ghp_owner_secret';
const OTHER = 'ghp_other_secret';
const REDIS = { owner: 'redis', repo: 'redis' };
const [ID, NAME] = ['/user/1529926/', '/users/redis/'];
const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

type Repositories = RestEndpointMethodTypes['repos']['listForUser']['response']['data'];

/** A client that nobody here wrote, with only its base URL changed. */
describe('Octokit', () => {
  let github: GithubSimulator;
  let service: ServiceProcess;

  function octokit(baseUrl: string, auth?: string, limits: string[] = []): InstanceType<typeof Client> {
    return new Client({
      baseUrl,
      log: quiet,
      retry: { retries: 2, retryAfterBaseValue: 1 },
      throttle: {
        onRateLimit: () => void limits.push('primary'),
        onSecondaryRateLimit: () => void limits.push('secondary'),
      },
      ...(auth === undefined ? {} : { auth }),
    });
  }
  const gateway = () => `${service.url}/github`;
  const through = (auth?: string, limits?: string[]) => octokit(gateway(), auth, limits);
  const directly = (auth?: string) => octokit(github.url, auth);

  /** What a program reads, page by page; links are told by where they lead, not by the host they name, nor by id or name. */
  async function reads(client: InstanceType<typeof Client>): Promise<unknown[]> {
    const pages: string[] = [];
    const repositories = await client.paginate(
      client.rest.repos.listForUser,
      { username: 'redis', per_page: 25 },
      ({ data, headers }): Repositories => {
        pages.push((headers.link ?? '').replaceAll(gateway(), '').replaceAll(github.url, '').replaceAll(ID, NAME));
        return data;
      },
    );
    const raw = await client.rest.repos.getReadme({ ...REDIS, mediaType: { format: 'raw' } });
    return [
      (await client.rest.users.getByUsername({ username: 'redis' })).data,
      (await client.rest.repos.get(REDIS)).data,
      (await client.rest.repos.getReadme(REDIS)).data,
      raw.data,
      (await client.rest.issues.listForRepo({ ...REDIS, per_page: 5 })).data,
      (await client.rest.search.repos({ q: 'redis', per_page: 3 })).data,
      repositories,
      pages,
    ];
  }

  beforeAll(async () => {
    github = await GithubSimulator.start({ latencyMs: 0, rateLimit: { anonymous: 100_000, searchToken: 1_000 } });
    service = await start(github, { CREDENTIAL_SECRET: 'a-secret-of-the-tests' });
  });
  beforeEach(() => github.requests.reset());
  afterEach(() => github.faults.clear());
  afterAll(async () => {
    await service.stop();
    await github.stop();
  });

  it('reads the same as from GitHub, and the second time without it', async () => {
    const direct = await reads(directly(OWNER));
    const asked = github.requests.count();
    github.requests.reset();
    expect(await reads(through(OWNER))).toEqual(direct);
    expect(github.requests.count()).toBe(asked);
    github.requests.reset();
    expect(await reads(through(OWNER))).toEqual(direct);
    expect(github.requests.count()).toBe(0);
  });

  it('gets bodies byte for byte', async () => {
    const url = '/repos/redis/redis/issues?per_page=7';
    const text = async (base: string): Promise<string> =>
      (await fetch(`${base}${url}`, { headers: { authorization: `Bearer ${OWNER}`, 'user-agent': 'test' } })).text();
    const direct = await text(github.url);
    expect([await text(gateway()), await text(gateway())]).toEqual([direct, direct]);
  });

  it('gets 304 for a response that it has already', async () => {
    const first = await through(OWNER).rest.repos.get(REDIS);
    const again = through(OWNER).rest.repos.get({ ...REDIS, headers: { 'if-none-match': first.headers.etag ?? '' } });
    await expect(again).rejects.toMatchObject({ status: 304 });
    // fetch sends `Cache-Control: no-cache` along with a condition of its caller's: GitHub is asked, by ETag, and does not count it.
    expect(github.requests.all().map(({ status }) => status)).toEqual([304]);
  });

  it('sees what it has written', async () => {
    const client = through(OWNER);
    const list = async () => (await client.rest.issues.listForRepo({ ...REDIS, per_page: 100 })).data;
    const before = await list();
    const { data: made } = await client.rest.issues.create({ ...REDIS, title: 'The cache is too fast' });
    const after = await list();
    expect(after).toHaveLength(before.length + 1);
    expect(after.find(({ number }) => number === made.number)?.title).toBe('The cache is too fast');
    expect(github.requests.count(/issues/)).toBe(3);
  });

  it('sees its own write in every response about the same thing', async () => {
    const client = through(OWNER);
    const one = { ...REDIS, issue_number: 3 };
    const about = async () => [
      (await client.rest.issues.get(one)).data.comments,
      (await client.rest.issues.listForRepo({ ...REDIS, per_page: 3 })).data.at(-1)?.comments,
    ];
    const readme = () => client.rest.repos.getReadme(REDIS);
    const [before = 0] = await about();
    await readme();
    await client.rest.issues.createComment({ ...one, body: 'Me too' });
    expect(await about()).toEqual([before + 1, before + 1]);
    github.requests.reset();
    await readme();
    expect(github.requests.count()).toBe(0);
  });

  it('gets missing, moved and forbidden responses unchanged', async () => {
    const client = through(OWNER);
    await expect(client.rest.users.getByUsername({ username: 'missing-there' })).rejects.toMatchObject({ status: 404 });
    const moved = await client.rest.repos.get({ owner: 'redis', repo: 'redis-old' });
    expect([moved.data.full_name, moved.url.startsWith(gateway())]).toEqual(['redis/redis', true]);
    await expect(through('bad').rest.users.getAuthenticated()).rejects.toMatchObject({ status: 401 });
  });

  it('shows no caller the response of another', async () => {
    const secret = { owner: 'redis', repo: 'secret' };
    for (let times = 0; times < 2; times++) {
      expect((await through(OWNER).rest.repos.get(secret)).data.private).toBe(true);
      for (const auth of [OTHER, undefined])
        await expect(through(auth).rest.repos.get(secret)).rejects.toMatchObject({ status: 404 });
    }
    expect(github.requests.count(/secret/)).toBe(3);
  });

  it('asks GraphQL each time', async () => {
    const client = through(OWNER);
    const ask = (): Promise<unknown> => client.graphql('{ viewer { login } }');
    expect(await ask()).toEqual(await ask());
    expect(github.requests.count('/graphql')).toBe(2);
  });

  it('tries again where GitHub fails, and is answered', async () => {
    github.faults.next(1, { kind: 'status', status: 500 });
    expect((await through(OWNER).rest.users.getByUsername({ username: 'nestjs' })).data.login).toBe('nestjs');
    expect(github.requests.count(/nestjs/)).toBe(2);
  });

  it.each([
    ['secondary', { kind: 'rate-limited', status: 403, retryAfter: '30' }],
    ['primary', { kind: 'rate-limited', status: 403, resetInSeconds: 30 }],
  ] as const)('is throttled by a %s limit of GitHub, and by what the gateway knows of it', async (kind, fault) => {
    const limits: string[] = [];
    const client = through(`ghp_owner_${kind}`, limits);
    github.faults.next(1, fault);
    await expect(client.rest.users.getByUsername({ username: `a-${kind}` })).rejects.toMatchObject({ status: 403 });
    await expect(client.rest.users.getByUsername({ username: `b-${kind}` })).rejects.toMatchObject({
      ...{
        status: 403,
        message: expect.stringMatching(kind === 'primary' ? /^API rate limit/ : /secondary rate limit/),
      },
    });
    expect([limits, github.requests.count(/[ab]-/)]).toEqual([[kind, kind], 1]);
  });
});
