import { connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { FaultProxy } from '../support/fault-proxy';
import { RedisProcess } from '../support/redis-process';
import { RespConnection } from '../support/resp-connection';
import { waitUntil } from '../support/wait-until';

describe('FaultProxy', () => {
  let redis: RedisProcess;
  let proxy: FaultProxy;
  let client: RespConnection;

  const open = (timeoutMs?: number) => RespConnection.open({ port: proxy.port, timeoutMs });
  /** Gives a reply up soon, where none is to come. */
  const openImpatient = () => open(200);

  const elapsedMs = async (work: Promise<unknown>): Promise<number> => {
    const startedAt = performance.now();
    await work;
    return performance.now() - startedAt;
  };

  beforeAll(async () => {
    redis = await RedisProcess.start();
  });

  beforeEach(async () => {
    proxy = await FaultProxy.start(redis.port);
    client = await open();
    await client.send('SET', 'a', 'value');
  });

  afterEach(async () => {
    client.close();
    await proxy.stop();
  });

  afterAll(() => redis.stop());

  it('passes bytes, and counts the connections that are open', async () => {
    const second = await open();
    const value = 'x'.repeat(20_000_000);
    await second.send('SET', 'big', value);
    expect((await second.send('GET', 'big')) === value).toBe(true);
    expect(proxy.connections()).toBe(2);
    second.close();
    await waitUntil(() => proxy.connections() === 1, { what: 'the closed connection to be uncounted' });
    expect(proxy.accepted()).toBe(2);
  });

  it('closes towards the client when the server does', async () => {
    await expect(client.send('QUIT')).resolves.toBe('OK');
    await waitUntil(() => proxy.connections() === 0, { what: 'the connection to close' });
  });

  it('cuts the open connections, refuses new ones and heals', async () => {
    const waiting = client.send('BLPOP', 'none', 0);
    waiting.catch(() => undefined);
    await proxy.cut();
    await expect(waiting).rejects.toThrow(/ECONNRESET/);
    await expect((await open()).send('PING')).rejects.toThrow(/ECONNREFUSED/);
    await proxy.pass();
    client = await open();
    await expect(client.send('GET', 'a')).resolves.toBe('value');
  });

  it('says nothing on a half-open connection, on old and new ones, and lets only later ones through again', async () => {
    const before = await openImpatient();
    await proxy.halfOpen();
    const during = await openImpatient();
    await expect(before.send('PING')).rejects.toThrow(/No reply/);
    const old = connect({ port: proxy.port, host: '127.0.0.1' });
    await expect(during.send('PING')).rejects.toThrow(/No reply/);
    await proxy.pass();
    await expect(silence(old)).resolves.toBe(true);
    client = await open();
    await expect(client.send('PING')).resolves.toBe('PONG');
  });

  it('hides from the client that the server died while the connection is half-open', async () => {
    const victim = await RedisProcess.start();
    const inFront = await FaultProxy.start(victim.port);
    const socket = connect({ port: inFront.port, host: '127.0.0.1' });
    await waitUntil(() => inFront.connections() === 1, { what: 'the connection' });
    await inFront.halfOpen();
    await victim.stop();
    await expect(silence(socket)).resolves.toBe(true);
    await inFront.stop();
  });

  it('holds everything while stalled, and then delivers it', async () => {
    const [patient, impatient] = [await open(), await openImpatient()];
    await proxy.stall();
    const reply = patient.send('GET', 'a');
    await expect(impatient.send('PING')).rejects.toThrow(/No reply/);
    await proxy.pass();
    await expect(reply).resolves.toBe('value');
    patient.close();
  });

  it('delays each way and keeps the order, without slowing a pipeline down', async () => {
    await proxy.delay(50);
    const replies = Array.from({ length: 100 }, () => client.send('INCR', 'n'));
    const ms = await elapsedMs(Promise.all(replies));
    expect(ms).toBeGreaterThanOrEqual(99);
    expect(ms).toBeLessThan(5_000); // one after the other they take 10 s
    await expect(Promise.all(replies)).resolves.toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
  });

  it('dribbles a byte at a time', async () => {
    await proxy.dribble();
    const socket = connect({ port: proxy.port, host: '127.0.0.1' });
    const pieces: string[] = [];
    socket.on('data', (piece: Buffer) => pieces.push(String(piece)));
    socket.write('GET a\r\n');
    await waitUntil(() => pieces.join('') === '$5\r\nvalue\r\n', { what: 'the whole reply' });
    expect(pieces.length).toBeGreaterThan(5);
    socket.destroy();
  });

  it('answers garbage, random or chosen, and resets the connections that had some when it heals', async () => {
    await proxy.garbage(Buffer.from('HTTP/1.1 400 Bad Request\r\n'));
    await expect(client.send('PING')).rejects.toThrow(/Not a RESP reply/);
    await proxy.garbage();
    const socket = connect({ port: proxy.port, host: '127.0.0.1' });
    const received: Buffer[] = [];
    socket.on('data', (piece: Buffer) => received.push(piece));
    const reset = new Promise<Error>((resolve) => socket.once('error', resolve));
    socket.write('ECHO 0123456789012345678901234567890123456789\r\n');
    await waitUntil(() => received.length > 0, { what: 'garbage' });
    expect(String(Buffer.concat(received))).not.toContain('0123456789');
    await proxy.pass();
    await expect(reset).resolves.toMatchObject({ code: 'ECONNRESET' });
    client = await open();
    await expect(client.send('PING')).resolves.toBe('PONG');
  });
});

/** True if the socket hears neither byte nor end for 200 ms. */
function silence(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (wasSilent: boolean) => {
      socket.destroy();
      resolve(wasSilent);
    };
    socket.setTimeout(200, () => end(true));
    socket.on('error', () => end(false));
    socket.on('data', () => end(false));
    socket.on('end', () => end(false));
  });
}
