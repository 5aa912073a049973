import { readFileSync } from 'node:fs';
import { connect, type ConnectionOptions } from 'node:tls';
import { RedisProcess } from '../support/redis-process';
import { TlsAuthority } from '../support/tls-authority';

/** Sends PING by TLS and resolves with the answer. */
function ping(options: ConnectionOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', ...options }, () => socket.write('PING\r\n'));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed')));
    socket.once('data', (answer: Buffer) => {
      socket.destroy();
      resolve(String(answer));
    });
  });
}

describe('TlsAuthority', () => {
  let authority: TlsAuthority;
  let stranger: TlsAuthority;

  beforeAll(async () => {
    [authority, stranger] = await Promise.all([TlsAuthority.create(), TlsAuthority.create()]);
  });

  afterAll(() => {
    authority.remove();
    stranger.remove();
  });

  it('lets a client verify the server by address and by name, and refuses another authority', async () => {
    const redis = await RedisProcess.start({ tls: authority });
    const ca = readFileSync(authority.caFile);
    expect(redis.uri).toBe(`rediss://127.0.0.1:${redis.port}`);
    await expect(ping({ port: redis.port, ca })).resolves.toBe('+PONG\r\n');
    await expect(ping({ port: redis.port, ca, servername: 'localhost' })).resolves.toBe('+PONG\r\n');
    await expect(ping({ port: redis.port, ca: readFileSync(stranger.caFile) })).rejects.toThrow(
      /signature|certificate/,
    );
    await expect(redis.command('SET', 'a', 1)).resolves.toBe('OK');
    await expect(redis.cli('GET', 'a')).resolves.toBe('1');
    await redis.stop();
  });

  it('proves a client to a server that asks for a certificate', async () => {
    const redis = await RedisProcess.start({ tls: Object.assign(authority, { authClients: true }) });
    const ca = readFileSync(authority.caFile);
    const own = { cert: readFileSync(authority.clientCertFile), key: readFileSync(authority.clientKeyFile) };
    const foreign = { cert: readFileSync(stranger.clientCertFile), key: readFileSync(stranger.clientKeyFile) };
    await expect(ping({ port: redis.port, ca, ...own })).resolves.toBe('+PONG\r\n');
    await expect(ping({ port: redis.port, ca })).rejects.toThrow();
    await expect(ping({ port: redis.port, ca, ...foreign })).rejects.toThrow();
    await redis.stop();
  });
});
