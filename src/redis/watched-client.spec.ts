import { once } from 'node:events';
import { createServer, type AddressInfo, type LookupFunction, type Socket } from 'node:net';
import type { RedisClientOptions } from 'redis';
import { WatchedClient } from './watched-client';

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
});
