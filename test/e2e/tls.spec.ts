import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect as connectPlain } from 'node:net';
import { connect, type PeerCertificate, type TLSSocket } from 'node:tls';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { GithubSimulator } from '../../simulator';
import { repositoryRoot } from '../support/build-service';
import { freePort } from '../support/free-port';
import { OwnedProcess } from '../support/owned-process';
import { makeTempFolder, removeTempFolder } from '../support/temp-folder';
import { request } from '../support/raw-http';
import { TlsAuthority } from '../support/tls-authority';
import { waitUntil } from '../support/wait-until';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

function get(port: number, path: string, options: RequestOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      { host: '127.0.0.1', port, path, agent: false, servername: 'localhost', ...options },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString(),
          }),
        );
      },
    );
    request.on('error', reject).end();
  });
}

async function certificateOf(port: number, ca: Buffer): Promise<PeerCertificate> {
  const socket: TLSSocket = connect({ host: '127.0.0.1', port, ca, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const certificate = socket.getPeerCertificate();
  socket.destroy();
  return certificate;
}

const { PATH = '', HOME = '' } = process.env;

/** The exit code of the image's HEALTHCHECK, in an environment as the service's. */
async function healthCheck(env: Record<string, string>): Promise<number> {
  const dockerfile = readFileSync(join(repositoryRoot, 'Dockerfile'), 'utf8');
  const [, command = '[]'] = /^HEALTHCHECK [^[]*CMD (\[.*\])$/m.exec(dockerfile) ?? [];
  const [, ...args] = JSON.parse(command) as string[];
  return OwnedProcess.spawn(process.execPath, args, { env: { PATH, ...env } }).exited;
}

describe('the service over https', () => {
  let github: GithubSimulator;
  let authority: TlsAuthority;
  let other: TlsAuthority;
  let folder: string;
  let ca: Buffer;

  beforeAll(async () => {
    [github, authority, other] = await Promise.all([
      GithubSimulator.start({ latencyMs: 0 }),
      TlsAuthority.create(),
      TlsAuthority.create(),
    ]);
    folder = makeTempFolder('tls-files');
    ca = readFileSync(authority.caFile);
  });
  afterAll(async () => {
    await github.stop();
    authority.remove();
    other.remove();
    removeTempFolder(folder);
  });

  const start = async (env: Record<string, string>): Promise<{ service: OwnedProcess; port: number }> => {
    const port = await freePort();
    const service = OwnedProcess.spawn(process.execPath, [join(repositoryRoot, 'dist/src/main.js')], {
      cwd: repositoryRoot,
      env: {
        ...{ PATH, HOME, NODE_ENV: 'test', PORT: String(port), GITHUB_API_URL: github.url },
        ...{ ADMIN_TOKEN: 'test-admin-token', CREDENTIAL_SECRET: 'of-the-tests', ...env },
      },
    });
    await waitUntil(() => !service.isRunning || /listen(?:ing)? on/i.test(service.output()), {
      what: 'the service to listen',
    });
    return { service, port };
  };

  it.each([
    ['one process', {}],
    ['two workers', { WORKERS: '2' }],
  ])('serves misses, hits and links by https with %s', async (_name, env) => {
    const plainPort = await freePort();
    const { service, port } = await start({
      TLS_CERT_FILE: authority.certFile,
      TLS_KEY_FILE: authority.keyFile,
      HTTP_REDIRECT_PORT: String(plainPort),
      ...env,
    });
    expect(service.output()).toContain('https://');
    expect(await healthCheck({ PORT: String(port), TLS_CERT_FILE: authority.certFile })).toBe(0);
    expect(await healthCheck({ PORT: String(port) })).toBe(1); // not by http
    const moved = await request(`http://127.0.0.1:${plainPort}/repos/redis`);
    expect([moved.status, moved.headers.location]).toEqual([308, `https://127.0.0.1:${port}/repos/redis`]);
    const answers = [await get(port, '/repos/redis', { ca }), await get(port, '/repos/redis', { ca })];
    expect(answers.map(({ status, headers }) => [status, headers['x-cache']])).toEqual([
      [200, 'MISS'],
      [200, 'HIT'],
    ]);
    const headers = { host: 'larder.example' };
    const path = '/github/users/microsoft/repos?per_page=1';
    const pages = [await get(port, path, { ca, headers }), await get(port, path, { ca, headers })];
    for (const page of pages) expect(page.headers['link']).toMatch(/^<https:\/\/larder\.example\/github\//);
    service.signal('SIGTERM');
    expect(await service.exited).toBe(0);
  });

  it('reads the certificate again when its file changes and on SIGHUP, and keeps the one before if the new one cannot be used', async () => {
    const files = { TLS_CERT_FILE: join(folder, 'tls.crt'), TLS_KEY_FILE: join(folder, 'tls.key') };
    copyFileSync(authority.certFile, files.TLS_CERT_FILE);
    copyFileSync(authority.keyFile, files.TLS_KEY_FILE);
    const { service, port } = await start(files);
    const first = await certificateOf(port, ca);

    writeFileSync(files.TLS_CERT_FILE, 'no certificate');
    service.signal('SIGHUP');
    await waitUntil(() => service.output().includes('the one before stays'), {
      what: 'the refusal',
    });
    expect((await certificateOf(port, ca)).fingerprint256).toBe(first.fingerprint256);
    expect(service.isRunning).toBe(true);

    copyFileSync(other.keyFile, files.TLS_KEY_FILE);
    copyFileSync(other.certFile, files.TLS_CERT_FILE);
    await waitUntil(async () => (await certificateOf(port, ca)).fingerprint256 !== first.fingerprint256, {
      what: 'the new certificate',
    });
    expect(await get(port, '/repos/redis', { ca: readFileSync(other.caFile) })).toMatchObject({ status: 200 });
    await waitUntil(() => service.output().includes('read again'), { what: 'the log line' });
    const twice = service.output().split('read again').length;
    service.signal('SIGHUP'); // looks at the files after it find no change
    await waitUntil(() => service.output().split('read again').length > twice, { what: 'the next' });
    expect(service.output().split('read again').length - 1).toBe(2);

    // A client that never begins its handshake does not hold up the end.
    const silent = connectPlain(port, '127.0.0.1').on('error', () => undefined);
    await once(silent, 'connect');
    service.signal('SIGTERM');
    await waitUntil(() => !service.isRunning, { what: 'the service to end' });
    silent.destroy();
    expect(await service.exited).toBe(0);
  });

  it('serves only clients with a certificate where TLS_CLIENT_CA_FILE names their authority', async () => {
    const { service, port } = await start({
      ...{ TLS_CERT_FILE: authority.certFile, TLS_KEY_FILE: authority.keyFile, TLS_CLIENT_CA_FILE: authority.caFile },
    });
    const [cert, key] = [readFileSync(authority.clientCertFile), readFileSync(authority.clientKeyFile)];
    expect(await get(port, '/repos/redis', { ca, cert, key })).toMatchObject({ status: 200 });
    await expect(get(port, '/repos/redis', { ca })).rejects.toThrow();
    const stranger = { cert: readFileSync(other.clientCertFile), key: readFileSync(other.clientKeyFile) };
    await expect(get(port, '/repos/redis', { ca, ...stranger })).rejects.toThrow();
    service.signal('SIGTERM');
    await service.exited;
  });

  it.each([
    [
      'a key of another certificate',
      () => ({ TLS_CERT_FILE: authority.certFile, TLS_KEY_FILE: other.keyFile }),
      /TLS_KEY_FILE cannot be used together/,
    ],
    [
      'a certificate without its key',
      () => ({ TLS_CERT_FILE: authority.certFile }),
      /TLS_KEY_FILE is missing: TLS_CERT_FILE needs TLS_KEY_FILE/,
    ],
    [
      'a file that is no certificate',
      () => ({ TLS_CERT_FILE: authority.keyFile, TLS_KEY_FILE: authority.keyFile }),
      /TLS_CERT_FILE holds no certificate in PEM/,
    ],
    [
      'a file that is not there',
      () => ({ TLS_CERT_FILE: '/nowhere.crt', TLS_KEY_FILE: authority.keyFile }),
      /TLS_CERT_FILE names a file that does not exist/,
    ],
  ])('does not start with %s, and says why', async (_name, env, message) => {
    const { service } = await start(env());
    expect(await service.exited).toBe(1);
    expect(service.output()).toMatch(message);
    expect(service.output()).not.toMatch(/\n {4}at /);
  });

  it('npm run demo -- --https makes a certificate for localhost that a client can trust', async () => {
    const port = await freePort();
    const demo = OwnedProcess.spawn(process.execPath, [join(repositoryRoot, 'dist/simulator/demo.js'), '--https'], {
      cwd: folder,
      env: { PATH, HOME, PORT: String(port), HOST: '127.0.0.1' },
    });
    await waitUntil(() => !demo.isRunning || demo.stdout().includes('To trust it'), {
      what: 'the demo',
    });
    const [, certFile] = /curl --cacert (\S+) -i https:\/\/localhost/.exec(demo.stdout()) ?? [];
    const trusted = { ca: readFileSync(certFile!) };
    expect(await get(port, '/repos/redis', trusted)).toMatchObject({ status: 200 });
    demo.signal('SIGTERM');
    expect(await demo.exited).toBe(0);
  });
});
