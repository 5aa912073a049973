import { get, type ServerResponse } from 'node:http';
import { request } from '../support/raw-http';
import { ScriptedOrigin } from '../support/scripted-origin';
import { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';

const TIMEOUT_MS = 1_000;
const ACCOUNT = JSON.stringify({ login: 'redis', id: 1, public_repos: 7, html_url: 'https://github.com/redis' });

/** As a container does whose processor time is used up, or a virtual machine that is moved. */
describe('a process that stands still for longer than the API may take, while the API answers', () => {
  let origin: ScriptedOrigin;
  let service: ServiceProcess;
  let held: ServerResponse | undefined;

  beforeAll(async () => {
    origin = await ScriptedOrigin.start();
    service = await ServiceProcess.start({
      env: {
        ...{ GITHUB_API_URL: origin.url, UPSTREAM_TIMEOUT_MS: String(TIMEOUT_MS) },
        ...{ UPSTREAM_CONNECT_TIMEOUT_MS: String(TIMEOUT_MS), REQUEST_DEADLINE_MS: String(TIMEOUT_MS) },
      },
    });
  });
  afterAll(async () => {
    await service.stop();
    await origin.stop();
  });

  const standStill = async (meanwhile: () => void): Promise<void> => {
    await service.freeze();
    meanwhile();
    await new Promise((resolve) => setTimeout(resolve, 2 * TIMEOUT_MS));
    service.thaw();
  };

  it.each([
    ['the gateway', '/github/users/redis'],
    ['a projection', '/repos/redis'],
  ])('passes the answer on: %s', async (_what, path) => {
    held = undefined;
    origin.answerBy((response) => (held = response));
    const answer = request(`${service.url}${path}`);
    await waitUntil(() => held !== undefined, { what: 'the request' });
    await standStill(() => held?.setHeader('content-type', 'application/json').end(ACCOUNT));
    expect((await answer).status).toBe(200);
  });

  it('passes on the whole of a body that it was receiving', async () => {
    const part = Buffer.alloc(200_000);
    held = undefined;
    origin.answerBy((response) => {
      response.writeHead(200, { 'content-length': 2 * part.length }).write(part, () => (held = response));
    });
    let received = 0;
    const ended = new Promise<boolean>((resolve, reject) => {
      get(`${service.url}/github/half`, (response) => {
        response.on('data', (chunk: Buffer) => (received += chunk.length));
        response.on('error', reject).on('close', () => resolve(response.complete));
      }).on('error', reject);
    });
    await waitUntil(() => held !== undefined && received > 0, { what: 'the first part' });
    await standStill(() => held?.end(part));
    expect([await ended, received]).toEqual([true, 2 * part.length]);
  });
});
