import { Agent } from 'node:http';
import { countedBytes, heldBytes, TELLS_HELD_BYTES } from '../support/held-bytes';
import { request } from '../support/raw-http';
import { ScriptedOrigin } from '../support/scripted-origin';
import { ServiceProcess, type ServiceOptions } from '../support/service-process';

const MIB = 1_048_576;
const AT_ONCE = 32;

let origin: ScriptedOrigin;
const services: ServiceProcess[] = [];

beforeAll(async () => {
  origin = await ScriptedOrigin.start((response, { url }) => {
    origin.hits.length = 0; // it is asked tens of thousands of times
    const fields = { 'cache-control': 'public, max-age=600', 'content-type': 'application/json; charset=utf-8' };
    response.writeHead(200, { ...fields, etag: `"${url}"`, server: 'github.com' });
    response.end(bodyOf(url));
  });
});

afterEach(async () => {
  for (const service of services.splice(0)) await service.stop();
});
afterAll(() => origin.stop());

/** JSON of 1.3 kB that gzip makes about half as long. */
function bodyOf(url: string): string {
  let text = `{"login":"someone","public_repos":5,"url":"${url}"`;
  for (let at = 0; text.length < 1_270; at++) text += `,"member_${at}":"${Math.random().toString(36).slice(2, 12)}"`;
  return `${text}}`;
}

async function start(nodeArgs: readonly string[], env: ServiceOptions['env'] = {}): Promise<ServiceProcess> {
  const variables = { GITHUB_API_URL: origin.url, GITHUB_POINTS_PER_MINUTE: '0', LOG_LEVEL: 'warn', ...env };
  const service = await ServiceProcess.start({ env: variables, nodeArgs });
  services.push(service);
  return service;
}

/** Asks for so many paths, each so often, one after the other. */
async function fill(
  service: ServiceProcess,
  pathOf: (name: string) => string,
  { count, times = 1, prefix = 'entry' }: { count: number; times?: number; prefix?: string },
): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  const ask = async (from: number): Promise<void> => {
    for (let at = from; at < count; at += AT_ONCE)
      for (let time = 0; time < times; time++) {
        const path = pathOf(`${prefix}-${at}`);
        const { status, body } = await request(`${service.url}${path}`, { agent });
        if (status !== 200) throw new Error(`${path} answered ${status} ${body.toString()}`);
      }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, from) => ask(from)));
  } finally {
    agent.destroy();
  }
}

const gateway = (name: string): string => `/github/things/${name}`;
const route = (name: string): string => `/repos/${name}`;

describe('the memory of the cache', () => {
  it('never ends a process with a heap of 96 MiB, and says at the start what is used of L1_MAX_BYTES', async () => {
    const service = await start(['--max-old-space-size=96', '--max-semi-space-size=16']);
    expect(service.stdout()).toMatch(/L1_MAX_BYTES is 64 MiB, but node's heap limit is \d+ MiB: [\d.]+ MiB are used/);
    expect(service.stdout()).toContain('Give it a larger heap (NODE_OPTIONS=--max-old-space-size=224)');
    await fill(service, gateway, { count: 10_000 });
    expect((await request(`${service.url}${gateway('one-more')}`)).status).toBe(200);
    const { entries } = await countedBytes(service);
    expect(entries).toBeGreaterThan(1_000); // it has not just forgotten everything
  }, 240_000);

  it('stays near L1_MAX_BYTES, whatever is kept beside the entries', async () => {
    const service = await start(TELLS_HELD_BYTES, { L1_MAX_BYTES: String(16 * MIB) });
    await fill(service, gateway, { count: 1_000, times: 2, prefix: 'before' });
    const before = await heldBytes(service);
    await fill(service, gateway, { count: 6_000, times: 2 });
    const grown = (await heldBytes(service)) - before;
    expect(grown).toBeLessThan(1.3 * 16 * MIB);
    const { l1, prepared } = await countedBytes(service);
    expect(l1 + prepared).toBeGreaterThan(0.8 * 16 * MIB); // it was full
  }, 240_000);

  it.each([
    ['loaded through the gateway', gateway, 1],
    ['hit through the gateway', gateway, 2],
    ['hit on a route', route, 2],
  ])(
    'is counted correctly, for entries %s',
    async (_how, pathOf, times) => {
      const service = await start(TELLS_HELD_BYTES, { L1_MAX_BYTES: String(512 * MIB) });
      // so many that the code is compiled: it would count as the entries'
      await fill(service, pathOf, { count: 2_000, times, prefix: 'before' });
      const [before, countedBefore] = [await heldBytes(service), await countedBytes(service)];
      await fill(service, pathOf, { count: 3_000, times });
      const [after, counted] = [await heldBytes(service), await countedBytes(service)];
      const ratio = (after - before) / (counted.all - countedBefore.all);
      expect(ratio).toBeGreaterThan(0.85);
      expect(ratio).toBeLessThan(1.15);
    },
    240_000,
  );
});
