import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { request } from '../support/raw-http';
import { ServiceProcess } from '../support/service-process';
import { makeTempFolder, removeTempFolder } from '../support/temp-folder';

/** Stands in for the service: the harness, not the service, is on trial here. */
const SCRIPT = `
  if (process.env.BROKEN) throw new Error('no way to start');
  require('node:http').createServer((request, response) => {
    response.writeHead(503).end(JSON.stringify({ argv: process.argv.slice(2), execArgv: process.execArgv, env: process.env }));
  }).listen(Number(process.env.PORT), '127.0.0.1', () => console.log('Listening on', process.env.PORT));
  process.on('SIGTERM', () => { console.error('going down'); process.exit(process.env.DEAF ? undefined : 7); });
  if (process.env.DEAF) process.removeAllListeners('SIGTERM').on('SIGTERM', () => undefined);
`;

describe('ServiceProcess', () => {
  let folder: string;
  let entry: string;

  beforeAll(() => {
    folder = makeTempFolder('service');
    entry = join(folder, 'service.js');
    writeFileSync(entry, SCRIPT);
  });

  afterAll(() => removeTempFolder(folder));

  it('starts a child on a port of its own with the variables and arguments it was given, and no others', async () => {
    process.env['LARDER_STRANGER'] = 'x';
    const nodeArgs = ['--max-old-space-size=64'];
    const service = await ServiceProcess.start({ entry, nodeArgs, args: ['--now'], env: { REDIS_KEY_PREFIX: 'p' } });
    const { status, body } = await request(`${service.url}/`);
    expect(status).toBe(503);
    const seen = JSON.parse(String(body)) as { env: Record<string, string>; argv: string[]; execArgv: string[] };
    expect(seen).toMatchObject({ argv: ['--now'], execArgv: nodeArgs });
    expect(seen.env).toMatchObject({ NODE_ENV: 'test', PORT: String(service.port), REDIS_KEY_PREFIX: 'p' });
    expect(seen.env['LARDER_STRANGER']).toBeUndefined();
    await expect(service.waitForLog(/Listening on (\d+)/)).resolves.toMatchObject({ 1: String(service.port) });
    await expect(service.stop()).resolves.toBe(7);
    expect(service.stdout()).toBe(`Listening on ${service.port}\n`);
    expect(service.stderr()).toBe('going down\n');
  });

  it('says what a service printed that did not start', async () => {
    await expect(ServiceProcess.start({ entry, env: { BROKEN: '1' } })).rejects.toThrow(
      /ended with code 1[^]*no way to start/,
    );
  });

  it('reports the signal that ended it', async () => {
    const service = await ServiceProcess.start({ entry });
    service.kill();
    await expect(service.exited).resolves.toBe(128 + 9);
  });

  it('freezes, and stops a frozen service', async () => {
    const service = await ServiceProcess.start({ entry });
    await service.freeze();
    await expect(request(service.url, { timeoutMs: 100 })).rejects.toThrow(/silence for 100 ms/);
    await expect(service.stop()).resolves.toBe(7);
  });

  it('kills a service that is deaf to SIGTERM, and says so', async () => {
    const service = await ServiceProcess.start({ entry, env: { DEAF: '1' } });
    await expect(service.stop(200)).rejects.toThrow(/the service to end after SIGTERM/);
    expect(service.isRunning).toBe(false);
  });
});
