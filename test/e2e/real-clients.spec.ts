import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:tls';
import { connect } from 'node:net';
import { join } from 'node:path';
import { GithubSimulator } from '../../simulator';
import { repositoryRoot } from '../support/build-service';
import { freePort } from '../support/free-port';
import { installClients } from '../support/install-clients';
import { OwnedProcess } from '../support/owned-process';
import { makeTempFolder, removeTempFolder } from '../support/temp-folder';
import { TlsAuthority } from '../support/tls-authority';
import { waitUntil } from '../support/wait-until';

/*
 * Clients that nobody here wrote, with nothing but their host changed, over TLS: Debian's gh, PyGithub, ruby-octokit and curl, and npm's Octokit. Each
 * does the same at GitHub itself (a simulator) and at the service in front of another one; what they print has to be the same.
 */

const TOKEN = 'ghp_owner_secret';
const { PATH = '', HOME = '' } = process.env;

interface Host {
  readonly simulator: GithubSimulator;
  /** Host and port that clients are told. */
  readonly name: string;
}

/** A program and its arguments, for a host and a folder of its own. */
type Command = (host: string, folder: string) => readonly [program: string, ...args: string[]];

const gh =
  (...args: string[]): Command =>
  () => ['gh', ...args];
const curl =
  (path: string, ...args: string[]): Command =>
  (host) => ['curl', '-sS', '-H', `Authorization: Bearer ${TOKEN}`, ...args, `https://${host}/api/v3${path}`];
const python =
  (script: string): Command =>
  (host) => ['/usr/bin/python3', '-c', `${PYGITHUB}${script}`, `https://${host}/api/v3`];
const ruby =
  (script: string): Command =>
  (host) => ['/usr/bin/ruby', '-e', `${OCTOKIT_RB}${script}`, `https://${host}/api/v3/`];
const node =
  (script: string): Command =>
  (host) => [process.execPath, '--input-type=module', '-e', `${OCTOKIT}${script}`, `https://${host}/api/v3`];

const PYGITHUB = `
import sys, json
from github import Github
api = Github("${TOKEN}", base_url=sys.argv[1], per_page=50)
show = lambda it: print(json.dumps(it, sort_keys=True))
repo = api.get_repo("redis/redis")
`;
const OCTOKIT_RB = `
require 'octokit'
api = Octokit::Client.new(access_token: '${TOKEN}', api_endpoint: ARGV[0])
`;
const OCTOKIT = `
import { Octokit } from '@octokit/rest';
import { throttling } from '@octokit/plugin-throttling';
import { retry } from '@octokit/plugin-retry';
const Client = Octokit.plugin(throttling, retry);
const stop = () => false;
const api = new Client({ auth: '${TOKEN}', baseUrl: process.argv[1], throttle: { onRateLimit: stop, onSecondaryRateLimit: stop } });
const redis = { owner: 'redis', repo: 'redis' };
const show = (it) => console.log(JSON.stringify(it));
`;

/** What each client reads; \`isStored\` where the second time costs GitHub nothing (GraphQL is never stored). */
const READS: readonly (readonly [name: string, isStored: boolean, command: Command])[] = [
  ['gh api', true, gh('api', 'repos/redis/redis')],
  ['gh api --paginate', true, gh('api', '--paginate', 'users/redis/repos?per_page=60', '-q', '.[].full_name')],
  ['gh api graphql', false, gh('api', 'graphql', '-f', 'query={viewer{login}}')],
  ['gh repo view', false, gh('repo', 'view', 'redis/redis')],
  ['gh repo list', false, gh('repo', 'list', 'redis', '--limit', '40')],
  ['gh issue list', false, gh('issue', 'list', '-R', 'redis/redis', '--limit', '40')],
  ['gh issue view', false, gh('issue', 'view', '3', '-R', 'redis/redis')],
  ['gh pr list', false, gh('pr', 'list', '-R', 'redis/redis')],
  ['gh release list', false, gh('release', 'list', '-R', 'redis/redis')],
  [
    'PyGithub, which follows URLs in bodies',
    true,
    python(`
show(repo.raw_data)
show([one.full_name for one in api.get_user("redis").get_repos()])
issue = repo.get_issue(3)
show([comment.body for comment in issue.get_comments()])
show([issue.repository.full_name, issue.user.login, repo.owner.public_repos])
show([release.tag_name for release in repo.get_releases()])
`),
  ],
  [
    'ruby-octokit, which follows relations',
    true,
    ruby(`
api.auto_paginate = true
repo = api.repo('redis/redis')
puts repo.to_h.to_json, api.repos('redis').map(&:full_name).to_json
puts repo.rels[:issues].get(uri: { number: 3 }).data.title
puts repo.owner.rels[:self].get.data.public_repos
`),
  ],
  [
    'Octokit with throttling and retry',
    true,
    node(`
show((await api.rest.repos.get(redis)).data);
show((await api.paginate(api.rest.repos.listForUser, { username: 'redis', per_page: 50 })).map((one) => one.full_name));
const { data: issue } = await api.rest.issues.get({ ...redis, issue_number: 3 });
show((await api.request(issue.comments_url)).data);
`),
  ],
  ['curl', true, curl('/users/redis', '-w', '\n%{http_code} %{content_type}')],
  ['curl, of what is missing', true, curl('/users/missing-there', '-w', '\n%{http_code}')],
];

/** Each sees its own change afterwards. */
const WRITES: Readonly<Record<string, readonly Command[]>> = {
  'gh issue create': [
    gh('issue', 'create', '-R', 'redis/redis', '-t', 'By gh', '-b', 'Text'),
    gh('api', 'repos/redis/redis/issues/46'),
  ],
  'gh release upload and download': [
    gh('api', 'repos/redis/redis/releases/tags/v1', '-q', '.assets[].name'),
    (_host, folder) => ['gh', 'release', 'upload', 'v1', join(folder, 'notes.txt'), '-R', 'redis/redis'],
    gh('api', 'repos/redis/redis/releases/tags/v1', '-q', '.assets[].name'),
    (_host, folder) => ['gh', 'release', 'download', 'v1', '-R', 'redis/redis', '-D', join(folder, 'down')],
    (_host, folder) => ['cat', join(folder, 'down', 'notes.txt')],
  ],
  PyGithub: [
    python(`
before = repo.get_issues(state="all").totalCount
made = repo.create_issue(title="By PyGithub", body="Text")
made.create_comment("More")
made.edit(state="closed")
show([made.number, repo.get_issue(made.number).state, made.get_comments().totalCount, repo.get_issues(state="all").totalCount - before])
`),
  ],
  'ruby-octokit': [
    ruby(`
made = api.create_issue('redis/redis', 'By Ruby', 'Text')
api.add_comment('redis/redis', made.number, 'More')
puts [made.number, api.issue('redis/redis', made.number).comments, made.rels[:comments].get.data.map(&:body)].to_json
`),
  ],
  Octokit: [
    node(`
const { data: made } = await api.rest.issues.create({ ...redis, title: 'By Octokit' });
await api.rest.issues.update({ ...redis, issue_number: made.number, state: 'closed' });
show([made.number, (await api.rest.issues.get({ ...redis, issue_number: made.number })).data.state]);
`),
  ],
  curl: [
    curl('/repos/redis/redis/issues', '-d', '{"title":"By curl"}', '-w', '\n%{http_code}'),
    curl('/repos/redis/redis/issues/50'),
  ],
};

describe('clients of an Enterprise Server, over TLS', () => {
  let authority: TlsAuthority;
  let folder: string;
  let service: OwnedProcess;
  let direct: Host;
  let behind: Host;
  let front: string;
  const servers: Server[] = [];

  /** A simulator that names itself as its TLS front does. */
  async function startHost(): Promise<Host> {
    const port = await freePort();
    const name = `localhost:${port}`;
    const simulator = await GithubSimulator.start({
      ...{ latencyMs: 0, basePath: '/api/v3', publicUrl: `https://${name}/api/v3` },
    });
    const files = { key: readFileSync(authority.keyFile), cert: readFileSync(authority.certFile) };
    const server = createServer(files, (socket) => {
      const inside = connect(Number(new URL(simulator.url).port), '127.0.0.1');
      const end = (): void => void (socket.destroy(), inside.destroy());
      socket.on('error', end).on('close', end).pipe(inside).on('error', end).on('close', end).pipe(socket);
    });
    await new Promise<void>((resolve) => server.listen(port, resolve));
    servers.push(server);
    return { simulator, name };
  }

  async function output(host: string, command: Command, ...names: string[]): Promise<string> {
    const own = join(folder, host.replace(':', '-'));
    mkdirSync(own, { recursive: true });
    writeFileSync(join(own, 'notes.txt'), 'What is new.\n');
    const [program, ...args] = command(host, own);
    const child = OwnedProcess.spawn(program, args, {
      cwd: repositoryRoot,
      env: {
        ...{
          PATH,
          HOME,
          GH_HOST: host,
          GH_ENTERPRISE_TOKEN: TOKEN,
          GH_CONFIG_DIR: join(own, 'gh'),
          GH_PROMPT_DISABLED: '1',
        },
        ...{ GH_NO_UPDATE_NOTIFIER: '1', LANG: 'C.UTF-8', NODE_EXTRA_CA_CERTS: authority.caFile },
        ...{ SSL_CERT_FILE: authority.caFile, REQUESTS_CA_BUNDLE: authority.caFile, CURL_CA_BUNDLE: authority.caFile },
      },
    });
    const code = await child.exited;
    const text = `${child.stdout()}${code === 0 ? '' : child.output()}`;
    return `${[host, ...names].reduce((all, name) => all.replaceAll(name, 'HOST'), text)}exit ${code}`;
  }

  beforeAll(async () => {
    await installClients();
    authority = await TlsAuthority.create();
    folder = makeTempFolder('clients');
    [direct, behind] = [await startHost(), await startHost()];
    const port = await freePort();
    front = `localhost:${port}`;
    service = OwnedProcess.spawn(process.execPath, [join(repositoryRoot, 'dist/src/main.js')], {
      cwd: repositoryRoot,
      env: {
        ...{ PATH, HOME, NODE_ENV: 'test', PORT: String(port), NODE_EXTRA_CA_CERTS: authority.caFile },
        ...{ TLS_CERT_FILE: authority.certFile, TLS_KEY_FILE: authority.keyFile },
        ...{ GITHUB_API_URL: `https://${behind.name}/api/v3`, GITHUB_REWRITE_BODIES: 'true' },
        ...{ CREDENTIAL_SECRET: 'a-secret-of-the-tests', ADMIN_TOKEN: 'test-admin-token' },
      },
    });
    await waitUntil(() => !service.isRunning || /listen(?:ing)? on/i.test(service.output()), {
      what: 'the service to listen',
    });
  }, 300_000);
  afterAll(async () => {
    service.signal('SIGTERM');
    await service.exited;
    for (const server of servers) server.close();
    await Promise.all([direct.simulator.stop(), behind.simulator.stop()]);
    authority.remove();
    removeTempFolder(folder);
  });

  it.each(READS)(
    '%s reads the same, the second time from the cache where it is stored',
    async (_name, isStored, command) => {
      const expected = await output(direct.name, command);
      expect(expected).toMatch(/\S{3}[^]*exit 0$/);
      expect(await output(front, command, behind.name)).toBe(expected);
      behind.simulator.requests.reset();
      expect(await output(front, command, behind.name)).toBe(expected);
      const asked = behind.simulator.requests.all().filter(({ method }) => method === 'GET');
      if (isStored) expect(asked).toEqual([]);
    },
  );

  it.each(Object.entries(WRITES))('%s sees what it has written', async (_name, commands) => {
    const results = { direct: [] as string[], through: [] as string[] };
    for (const command of commands) {
      results.direct.push(await output(direct.name, command));
      results.through.push(await output(front, command, behind.name));
    }
    for (const one of results.direct) expect(one).toMatch(/exit 0$/);
    expect(results.through).toEqual(results.direct);
  });
});
