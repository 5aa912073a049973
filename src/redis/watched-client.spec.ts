import { once } from 'node:events';
import { createServer, type AddressInfo, type LookupFunction, type Socket } from 'node:net';
import type { RedisClientOptions } from 'redis';
import { waitUntil } from '../../test/support/wait-until';
import { WatchedClient } from './watched-client';

const LATE_MS = 2_000;

describe('a watched connection to Redis', () => {
  it('that is closed before it has a socket leaves none behind: the process can end', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    let answer: Parameters<LookupFunction>[2] | undefined;
    let isAsked = (): void => undefined;
    const asked = new Promise<void>((resolve) => (isAsked = resolve));
    const lookup: LookupFunction = (_host, _options, callback) => {
      answer = callback;
      isAsked();
    };
    const socket = { host: 'redis.example', port: (server.address() as AddressInfo).port, lookup };
    const client = new WatchedClient(() => ({ RESP: 2, socket }) as unknown as RedisClientOptions, 100, {});
    await asked;
    await client.close();

    const connected = once(server, 'connection') as Promise<[Socket]>;
    answer?.(null, [{ address: '127.0.0.1', family: 4 }]);
    const [connection] = await connected;
    connection.on('data', (bytes) => connection.write('+OK\r\n'.repeat(bytes.toString().match(/\*\d/g)?.length ?? 0)));
    if (!connection.closed) await once(connection, 'close');
    server.close();
    expect(connection.closed).toBe(true);
  });

  it('is not closed while a reply takes longer than a second but no longer than a command may take', async () => {
    const connections: Socket[] = [];
    const server = createServer((socket) => {
      connections.push(socket);
      socket.on('data', (bytes) => {
        const commands = bytes.toString().match(/\*\d/g)?.length ?? 0;
        // From the first heartbeat on every reply is late.
        setTimeout(() => socket.write('+OK\r\n'.repeat(commands)), bytes.includes('PING') ? LATE_MS : 0);
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const problems: string[] = [];
    const client = new WatchedClient(
      () => ({ RESP: 2, socket: { host: '127.0.0.1', port } }) as unknown as RedisClientOptions,
      30_000,
      { onDown: (problem) => problems.push(problem) },
    );
    try {
      await waitUntil(() => client.isUp, { what: 'the connection' });
      const before = client.repliedUntil;
      await waitUntil(() => client.repliedUntil > before || problems.length > 0, { what: 'the late reply' });
      expect([connections.length, problems]).toEqual([1, []]);
    } finally {
      await client.close();
      connections.forEach((connection) => connection.destroy());
      server.close();
    }
  });
});
