import { GithubSimulator, type Latency } from './github-simulator';
import { GitlabSimulator } from './gitlab-simulator';

/*
 * `npm run simulator`: SIMULATOR_PORT (8082), SIMULATOR_HOST (127.0.0.1: the name or address to listen on, which its URLs have),
 * SIMULATOR_LATENCY_MS ("150-400", or one number), SIMULATOR_RATE_LIMIT (60: requests an hour without a token). `npm run simulator -- gitlab` starts GitLab's, with the port alone.
 */

function latencyOf(text: string): Latency {
  const [min = 150, max] = text.split('-').map(Number);
  return max === undefined ? min : [min, max];
}

async function start(): Promise<void> {
  const port = Number(process.env['SIMULATOR_PORT'] ?? 8082);
  if (process.argv[2] === 'gitlab') {
    const gitlab = await GitlabSimulator.start(port);
    endWith(gitlab, 'GitLab', '/projects/platform%2Fdocs');
    const tokens = [...gitlab.users].map(([token, user]) => `${token} (${user})`);
    process.stdout.write(`Tokens: ${tokens.join(', ')}; any other is refused with 401\n`);
    return;
  }
  const simulator = await GithubSimulator.start({
    port,
    host: process.env['SIMULATOR_HOST'],
    latencyMs: latencyOf(process.env['SIMULATOR_LATENCY_MS'] ?? '150-400'),
    rateLimit: { anonymous: Number(process.env['SIMULATOR_RATE_LIMIT'] ?? 60) },
  });
  endWith(simulator, 'GitHub', '/users/redis');
}

/** Says where it is, and stops it with the process. */
function endWith(simulator: { readonly url: string; stop(): Promise<void> }, title: string, path: string): void {
  process.stdout.write(`The ${title} simulator is at ${simulator.url}; try: curl -i ${simulator.url}${path}\n`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void simulator.stop());
}

void start();
