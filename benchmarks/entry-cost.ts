import { Agent } from 'node:http';
import { join } from 'node:path';
import { projectRoot } from './harness/folders';
import { countedBytes, heldBytes, TELLS_HELD_BYTES } from '../test/support/held-bytes';
import { request } from '../test/support/raw-http';
import { ScriptedOrigin } from '../test/support/scripted-origin';
import { ServiceProcess } from '../test/support/service-process';

/*
 * `node dist/benchmarks/entry-cost.js [entries]`: what one stored response costs the process, against what `/metrics` counts
 * for it. Real processes, an origin with few fields and one with GitHub's, garbage collected before each reading.
 */

const ENTRIES = Number(process.argv[2] ?? 4_000);
/** So many that the code is compiled: it would count as the entries'. */
const WARM_UP = 3_000;
const AT_ONCE = 16;

interface Case {
  readonly name: string;
  readonly path: (number: string) => string;
  readonly bodyBytes: number;
  readonly fields: Readonly<Record<string, string>>;
  readonly requests: number;
  readonly env?: Readonly<Record<string, string>>;
}

const FEW_FIELDS = { 'cache-control': 'public, max-age=600', 'content-type': 'application/json; charset=utf-8' };
const GITHUB_FIELDS = {
  ...FEW_FIELDS,
  server: 'github.com',
  vary: 'Accept, Accept-Encoding, Accept, X-Requested-With',
  'x-github-media-type': 'github.v3; format=json',
  'x-github-api-version-selected': '2022-11-28',
  'access-control-expose-headers':
    'ETag, Link, Location, Retry-After, X-GitHub-OTP, X-RateLimit-Limit, X-RateLimit-Remaining',
  'access-control-allow-origin': '*',
  'strict-transport-security': 'max-age=31536000; includeSubdomains; preload',
  'x-frame-options': 'deny',
  'x-content-type-options': 'nosniff',
  'x-xss-protection': '0',
  'referrer-policy': 'origin-when-cross-origin, strict-origin-when-cross-origin',
  'content-security-policy': "default-src 'none'",
  'x-ratelimit-limit': '5000',
  'x-ratelimit-resource': 'core',
};

const gateway = (number: string): string => `/github/things/${number}`;
const route = (number: string): string => `/repos/account-${number}`;
const cases: readonly Case[] = [
  { name: 'gateway 1.3 kB, loaded', path: gateway, bodyBytes: 1_300, fields: FEW_FIELDS, requests: 1 },
  { name: 'gateway 1.3 kB, hit', path: gateway, bodyBytes: 1_300, fields: FEW_FIELDS, requests: 3 },
  {
    name: "gateway 1.3 kB, GitHub's fields, loaded",
    path: gateway,
    bodyBytes: 1_300,
    fields: GITHUB_FIELDS,
    requests: 1,
  },
  { name: "gateway 1.3 kB, GitHub's fields, hit", path: gateway, bodyBytes: 1_300, fields: GITHUB_FIELDS, requests: 3 },
  { name: 'gateway 200 B, hit', path: gateway, bodyBytes: 200, fields: FEW_FIELDS, requests: 3 },
  { name: 'gateway 20 kB, hit', path: gateway, bodyBytes: 20_000, fields: FEW_FIELDS, requests: 3 },
  { name: '/repos, loaded', path: route, bodyBytes: 1_300, fields: GITHUB_FIELDS, requests: 1 },
  { name: '/repos, hit', path: route, bodyBytes: 1_300, fields: GITHUB_FIELDS, requests: 3 },
];

async function main(): Promise<void> {
  const only = process.argv[3];
  for (const one of cases) if (only === undefined || one.name.includes(only)) await measure(one);
}

async function measure({ name, path, bodyBytes, fields, requests, env = {} }: Case): Promise<void> {
  const origin = await ScriptedOrigin.start((response, { url }) => {
    origin.hits.length = 0;
    const etag = `"${Buffer.from(url).toString('hex').padEnd(64, '0').slice(-64)}"`;
    response.writeHead(200, { ...fields, etag, 'x-github-request-id': `${Math.random()}` });
    response.end(bodyOf(url, bodyBytes));
  });
  const service = await ServiceProcess.start({
    env: {
      GITHUB_API_URL: origin.url,
      L1_MAX_BYTES: '1073741824',
      LOG_LEVEL: 'fatal',
      GITHUB_POINTS_PER_MINUTE: '0',
      ...env,
    },
    entry: join(projectRoot, 'dist/src/main.js'),
    nodeArgs: ['--max-old-space-size=2048', ...TELLS_HELD_BYTES],
  });
  try {
    await fill(service.url, path, 'warm', WARM_UP, requests);
    const before = await settled(service);
    const countedBefore = await countedBytes(service);
    await fill(service.url, path, 'entry', ENTRIES, requests);
    const after = await settled(service);
    const countedAfter = await countedBytes(service);
    const per = (bytes: number): string => String(Math.round(bytes / ENTRIES));
    const grown = after - before;
    const told = countedAfter.all - countedBefore.all;
    const parts = (['l1', 'prepared', 'pointers'] as const).map((part) => countedAfter[part] - countedBefore[part]);
    const of = `entries ${per(parts[0] ?? 0)}, prepared ${per(parts[1] ?? 0)}, pointers ${per(parts[2] ?? 0)}`;
    process.stdout.write(
      `${name}: costs ${per(grown)}, counted ${per(told)} (${of}), ratio ${(grown / told).toFixed(2)}\n`,
    );
  } catch (error) {
    throw new Error(`${name} failed; the service printed:\n${service.stdout()}${service.stderr()}`, { cause: error });
  } finally {
    await service.stop();
    await origin.stop();
  }
}

/** JSON that gzip makes about half as long, as it does of GitHub's. */
function bodyOf(url: string, bytes: number): string {
  let text = `{"login":"x","public_repos":5,"url":"${url}"`;
  for (let at = 0; text.length < bytes - 30; at++)
    text += `,"member_${at}":"${Math.random().toString(36).slice(2, 12)}"`;
  return `${text}}`;
}

/** Once what the last responses left behind is let go. */
async function settled(service: ServiceProcess): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 500));
  return heldBytes(service);
}

async function fill(
  url: string,
  path: (number: string) => string,
  prefix: string,
  count: number,
  requests: number,
): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  for (let from = 0; from < count; from += AT_ONCE)
    await Promise.all(
      Array.from({ length: Math.min(AT_ONCE, count - from) }, async (_, at) => {
        for (let one = 0; one < requests; one++) {
          const { status } = await request(`${url}${path(`${prefix}-${from + at}`)}`, { agent });
          if (status !== 200) throw new Error(`${path(prefix)} answered ${status}`);
        }
      }),
    );
  agent.destroy();
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  },
);
