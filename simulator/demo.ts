import 'reflect-metadata';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { environmentShape } from '../src/config/env.schema';
import { GithubSimulator } from './github-simulator';

/*
 * `npm run demo`: the service against the simulator, with no network at all. What the simulator makes up stays in memory: of `.env`
 * and of the environment neither Redis nor anything of GitHub is used.
 */

/** Set and empty, so that `.env` does not fill them in. */
const BLANK = Object.fromEntries(
  Object.keys(environmentShape)
    .filter((name) => /^(?:REDIS|GITHUB)_/.test(name) && name !== 'GITHUB_ROUTE_PREFIX')
    .map((name) => [name, '']),
);
const LISTENS = /listen(?:ing)? on (http:\/\/[^\s;]+)/i;

async function demo(): Promise<void> {
  const simulator = await GithubSimulator.start({ rateLimit: { anonymous: 100_000 } });
  const service = spawn(process.execPath, [join(__dirname, '../src/main.js')], {
    stdio: ['inherit', 'pipe', 'inherit'],
    env: { ...process.env, ...BLANK, GITHUB_API_URL: simulator.url, LOG_LEVEL: process.env['LOG_LEVEL'] ?? 'info' },
  });
  let heard = '';
  const hear = (text: string): void => {
    heard += text;
    const [, url] = LISTENS.exec(heard) ?? [];
    if (url === undefined) return;
    service.stdout.off('data', hear);
    tell(url, simulator.url);
  };
  service.stdout.setEncoding('utf8').on('data', hear).pipe(process.stdout);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => service.kill(signal));
  service.on('exit', (code) => {
    process.exitCode = code ?? 1;
    void simulator.stop();
  });
}

/** What to try, at the address that the service has told: `.env` may name another port. */
function tell(serviceUrl: string, simulatorUrl: string): void {
  const { hostname, port } = new URL(serviceUrl);
  const host = `${['0.0.0.0', '[::]', '127.0.0.1', '[::1]'].includes(hostname) ? 'localhost' : hostname}:${port}`;
  process.stdout.write(
    [
      `GitHub is simulated at ${simulatorUrl}, and nothing is kept but in memory. Try:`,
      `  curl -i ${host}/repos/redis    # twice: the API, then the cache`,
      `  curl ${new URL(simulatorUrl).origin}/_simulator/requests    # what the API saw`,
      `  open http://${host}/\n`,
    ].join('\n'),
  );
}

void demo();
