import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../support/build-service';
import { freePort } from '../support/free-port';
import { OwnedProcess } from '../support/owned-process';
import { request } from '../support/raw-http';
import { makeTempFolder, removeTempFolder } from '../support/temp-folder';
import { waitUntil } from '../support/wait-until';

const folders: string[] = [];
const started: OwnedProcess[] = [];

afterEach(async () => {
  for (const service of started.splice(0)) await service.kill();
  for (const folder of folders.splice(0)) removeTempFolder(folder);
});

/** The service in a folder whose `.env` has been made by `make`. */
function startIn(make: (file: string) => void, port: number): OwnedProcess {
  const folder = makeTempFolder('env-file');
  folders.push(folder);
  make(join(folder, '.env'));
  const env = { PATH: process.env['PATH'], NODE_ENV: 'development', LOG_LEVEL: 'warn', PORT: String(port) };
  const service = OwnedProcess.spawn(process.execPath, [join(repositoryRoot, 'dist/src/main.js')], {
    cwd: folder,
    env,
  });
  started.push(service);
  return service;
}

const write =
  (content: string | Buffer) =>
  (file: string): void =>
    writeFileSync(file, content);
const SETTINGS = 'ADMIN_TOKEN=hunter2-hunter2\nGITHUB_API_URL=http://127.0.0.1:1\n';

describe('an .env file that cannot be read as it is meant', () => {
  it.each([
    ['is a directory', (file: string) => mkdirSync(file), /^ {2}\.env is a directory, not a file\. .*Example: cp /m],
    [
      'is a link to itself',
      (file: string) => symlinkSync(file, file),
      /^ {2}\.env cannot be read .*\(ELOOP\).*Example/m,
    ],
    ['is UTF-16', write(Buffer.from(`\ufeff${SETTINGS}`, 'utf16le')), /^ {2}\.env is not UTF-8 but UTF-16/m],
    ['is UTF-16, big endian', write(Buffer.from(`\ufeff${SETTINGS}`, 'utf16le').swap16()), /^ {2}\.env is not UTF-8/m],
    ['is Latin-1', write(Buffer.from(`${SETTINGS}# Müller`, 'latin1')), /^ {2}\.env is not UTF-8\./m],
    ['has a line without =', write(`${SETTINGS}\n# x\nhunter2\n`), /^ {2}\.env is wrong in line 5: .*Example: PORT=/m],
  ])('that %s stops the start with a sentence', async (_what, make, sentence) => {
    const service = startIn(make, await freePort());
    expect(await service.exited).toBe(1);
    expect(service.stderr()).toMatch(sentence);
    expect(service.output()).not.toMatch(/^\s+at |hunter2|node:internal/m);
    expect(service.stderr().trim().split('\n')).toHaveLength(2);
  });
});

describe('an .env file', () => {
  it.each([
    ['with a byte order mark', write(`\ufeff${SETTINGS}`)],
    ['with the line ends of Windows', write(SETTINGS.replaceAll('\n', '\r\n'))],
    ['with a value over several lines', write(`GITHUB_WEBHOOK_SECRET="first-secret,\nsecond-secret"\n${SETTINGS}`)],
    ['with comments, blank lines and export', write(`# x\n\n  export ${SETTINGS} # y\n`)],
  ])('%s is read', async (_what, make) => {
    const port = await freePort();
    const service = startIn(make, port);
    const admin = () =>
      request(`http://127.0.0.1:${port}/admin/cache/entries`, { headers: { authorization: 'Bearer hunter2-hunter2' } });
    await waitUntil(async () => !service.isRunning || (await admin()).status > 0, { what: 'the service to answer' });
    expect((await admin()).status).toBe(200);
  });

  it('with an unknown name is reported, with the intended name', async () => {
    const port = await freePort();
    const service = startIn(write(`${SETTINGS}REDIS_ENDPOINT_URL=redis://:hunter3@x\nOTHER=1\nCACHE_FOO=1\n`), port);
    await waitUntil(() => !service.isRunning || /CACHE_FOO/.test(service.output()), { what: 'the warnings' });
    expect(service.output()).toContain(
      'REDIS_ENDPOINT_URL in .env is no setting, and is ignored. Did you mean REDIS_ENDPOINT_URI?',
    );
    expect(service.output()).toContain(
      'CACHE_FOO in .env is no setting, and is ignored. The settings are in .env.sample.',
    );
    expect(service.output()).not.toMatch(/OTHER|hunter3/);
  });
});
