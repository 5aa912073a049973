import { GithubSimulator, type Latency } from './github-simulator';

/* `npm run simulator`: SIMULATOR_PORT (8082), SIMULATOR_LATENCY_MS ("150-400", or one number). */

function latencyOf(text: string): Latency {
  const [min = 150, max] = text.split('-').map(Number);
  return max === undefined ? min : [min, max];
}

async function start(): Promise<void> {
  const port = Number(process.env['SIMULATOR_PORT'] ?? 8082);
  const simulator = await GithubSimulator.start({
    port,
    latencyMs: latencyOf(process.env['SIMULATOR_LATENCY_MS'] ?? '150-400'),
  });
  process.stdout.write(`The GitHub simulator is at ${simulator.url}; try: curl -i ${simulator.url}/users/redis\n`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void simulator.stop());
}

void start();
