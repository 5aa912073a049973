import 'reflect-metadata';
import { environmentShape } from '../src/config/environment-shape';
import { github } from '../src/github/github.definition';
import { settingNamesOf } from '../src/upstream';
import { boot } from '../src/bootstrap/boot';
import { PageFacts } from '../src/web/page.facts';
import { makeDemoCertificate } from './demo-certificate';
import { addDemoRoutes, DEMO_ROUTES } from './demo-routes';
import { GithubSimulator } from './github-simulator';

/*
 * `npm run demo`: the service against the simulator, with no network at all. What the simulator makes up stays in memory: of `.env`
 * and of the environment neither Redis nor anything of GitHub is used. `npm run demo -- --https` serves it by https, with a certificate
 * for localhost made for this run.
 */

/** So slow that a person sees which answer came from the API. */
const LATENCY_MS = 800;

async function demo(): Promise<void> {
  const simulator = await GithubSimulator.start({ latencyMs: LATENCY_MS, rateLimit: { anonymous: 100_000 } });
  for (const name of [...Object.keys(environmentShape), ...settingNamesOf(github)]) {
    // Set and empty, so that `.env` does not fill them in.
    if (/^(?:REDIS|GITHUB)_/.test(name) && name !== 'GITHUB_ROUTE_PREFIX') process.env[name] = '';
  }
  Object.assign(process.env, { GITHUB_API_URL: simulator.url, WORKERS: '1' });
  const certificate = process.argv.includes('--https') ? await makeDemoCertificate() : undefined;
  if (certificate) {
    Object.assign(process.env, { TLS_CERT_FILE: certificate.certFile, TLS_KEY_FILE: certificate.keyFile });
    process.once('exit', () => certificate.remove());
  }
  await boot(async () => (await import('../src/app.module.js')).AppModule, {
    beforeListen: (app) => {
      addDemoRoutes(app.getHttpAdapter().getInstance(), simulator, app.getHttpServer());
      app.get(PageFacts).demo = DEMO_ROUTES;
    },
    onListening: (url) => announce(url, simulator.url, certificate?.certFile),
  });
}

/** What to try, at the address that the service listens on: `.env` may name another port. */
function announce(serviceUrl: string, simulatorUrl: string, certFile: string | undefined): void {
  const { protocol, hostname, port } = new URL(serviceUrl);
  const host = `${['0.0.0.0', '[::]', '127.0.0.1', '[::1]'].includes(hostname) ? 'localhost' : hostname}:${port}`;
  const curl = certFile === undefined ? 'curl' : `curl --cacert ${certFile}`;
  const base = certFile === undefined ? host : `https://${host}`;
  process.stdout.write(
    [
      `GitHub is simulated at ${simulatorUrl}, and nothing is kept but in memory. Try:`,
      `  ${curl} -i ${base}/repos/redis    # twice: the API, then the cache`,
      `  curl ${new URL(simulatorUrl).origin}/_simulator/requests    # what the API saw`,
      `  open ${protocol}//${host}/\n`,
      ...(certFile === undefined
        ? []
        : [
            `The certificate is made for this run; a browser asks before it shows the page. To trust it, import ${certFile}\n`,
          ]),
    ].join('\n'),
  );
}

void demo();
