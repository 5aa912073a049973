import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { GithubSimulator } from './github-simulator';

/* `npm run demo`: the service against the simulator, with no network at all. */

async function demo(): Promise<void> {
  const simulator = await GithubSimulator.start({ rateLimit: { anonymous: 100_000 } });
  const port = process.env['PORT'] ?? '8081';
  const service = spawn(process.execPath, [join(__dirname, '../src/main.js')], {
    stdio: 'inherit',
    env: { ...process.env, GITHUB_API_URL: simulator.url },
  });
  process.stdout.write(
    [
      `GitHub is simulated at ${simulator.url}. Try:`,
      `  curl -i localhost:${port}/repos/redis    # twice: the API, then the cache`,
      `  curl ${new URL(simulator.url).origin}/_simulator/requests    # what the API saw`,
      `  open http://localhost:${port}/\n`,
    ].join('\n'),
  );
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => service.kill(signal));
  service.on('exit', (code) => {
    process.exitCode = code ?? 1;
    void simulator.stop();
  });
}

void demo();
