import { GithubSimulator, type Latency } from './github-simulator';

/*
 * `npm run simulator`: SIMULATOR_PORT (8082), SIMULATOR_LATENCY_MS ("150-400", or one number), SIMULATOR_RATE_LIMIT (60: requests
 * an hour without a token).
 */

function latencyOf(text: string): Latency {
  const [min = 150, max] = text.split('-').map(Number);
  return max === undefined ? min : [min, max];
}

async function start(): Promise<void> {
  const port = Number(process.env['SIMULATOR_PORT'] ?? 8082);
  const simulator = await GithubSimulator.start({
    port,
    latencyMs: latencyOf(process.env['SIMULATOR_LATENCY_MS'] ?? '150-400'),
    rateLimit: { anonymous: Number(process.env['SIMULATOR_RATE_LIMIT'] ?? 60) },
  });
  process.stdout.write(`The GitHub simulator is at ${simulator.url}; try: curl -i ${simulator.url}/users/redis\n`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void simulator.stop());
}

void start();
