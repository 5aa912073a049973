import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { gzipSync } from 'node:zlib';
import { Barrier, Gate } from '../support/barrier';
import { freeClusterPort, freePort } from '../support/free-port';
import installServers from '../support/install-servers';
import { rawRequest, request } from '../support/raw-http';
import { waitUntil } from '../support/wait-until';

const portOf = (server: Server) => (server.address() as AddressInfo).port;
const listen = (server: Server) => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

describe('waitUntil', () => {
  it('polls until the fact holds, even under fake timers', async () => {
    jest.useFakeTimers();
    try {
      let polls = 0;
      await waitUntil(async () => (polls += 1) > 3, { what: 'the fourth poll' });
      expect(polls).toBe(4);
    } finally {
      jest.useRealTimers();
    }
  });

  it('names what it waited for, and the last error', async () => {
    const fact = () => {
      throw new Error('not there');
    };
    await expect(waitUntil(fact, { what: 'the moon', timeoutMs: 20 })).rejects.toThrow(
      'Waited 20 ms in vain for the moon (last error: not there)',
    );
  });
});

describe('Gate and Barrier', () => {
  it('holds callers until it opens, and reports how many wait', async () => {
    const gate = new Gate();
    const passed: number[] = [];
    const callers = [1, 2, 3].map((name) => gate.wait().then(() => passed.push(name)));
    await gate.untilWaiting(3);
    expect([gate.waiting, passed]).toEqual([3, []]);
    gate.letThrough(1);
    await callers[0];
    expect([gate.waiting, passed]).toEqual([2, [1]]);
    gate.open();
    await Promise.all(callers);
    await gate.wait();
    gate.close();
    void gate.wait();
    expect(gate.waiting).toBe(1);
  });

  it('reports the arrival of the last expected caller', async () => {
    const gate = new Gate();
    const full = gate.untilWaiting(2);
    void gate.wait();
    void gate.wait();
    await full;
    expect(gate.waiting).toBe(2);
  });

  it('lets all parties of a barrier go with the last', async () => {
    const barrier = new Barrier(2);
    const first = barrier.wait();
    expect(barrier.waiting).toBe(1);
    await barrier.wait();
    await first;
  });
});

describe('free ports', () => {
  it('never gives the same port twice, and none that clients use', async () => {
    const ports = await Promise.all(Array.from({ length: 50 }, () => freePort()));
    expect(new Set(ports).size).toBe(50);
    expect(Math.max(...ports)).toBeLessThan(32_768);
    await expect(freeClusterPort()).resolves.toBeLessThan(22_768);
  });
});

describe('installServers', () => {
  it('does nothing where the servers are, and else says what to install', async () => {
    await installServers();
    await installServers();
    process.env['REDIS_SERVER_BIN'] = '/nowhere/redis-server';
    jest.spyOn(process, 'getuid').mockReturnValue(1000);
    await expect(installServers()).rejects.toThrow(/need redis-server on PATH; install the Debian packages/);
    delete process.env['REDIS_SERVER_BIN'];
    jest.restoreAllMocks();
  });
});

describe('raw HTTP', () => {
  it('sends bytes unchanged, and returns the bytes before silence or a close', async () => {
    const server = createServer((socket) => socket.on('data', (bytes) => socket.write(`got ${String(bytes)}`)));
    await listen(server);
    await expect(rawRequest(portOf(server), 'GET\0\n', { timeoutMs: 500 })).resolves.toEqual(
      Buffer.from('got GET\0\n'),
    );
    const until = (received: string): boolean => received.endsWith('\0');
    await expect(rawRequest(portOf(server), 'x\0', { until })).resolves.toEqual(Buffer.from('got x\0'));
    await expect(rawRequest(portOf(server), 'x', { endAfterWrite: true })).resolves.toEqual(Buffer.from('got x'));
    const port = portOf(server);
    await new Promise((resolve) => server.close(resolve));
    await expect(rawRequest(port, 'x')).rejects.toThrow(/ECONNREFUSED/);
  });

  it('neither decompresses nor follows, and refuses a truncated body', async () => {
    const packed = gzipSync('hello');
    const server = createHttpServer((incoming, response) => {
      if (incoming.url === '/cut')
        response.writeHead(200, { 'content-length': 10 }).write('half', () => response.destroy());
      else response.writeHead(302, { location: '/cut', 'content-encoding': 'gzip' }).end(packed);
    });
    await listen(server);
    const url = `http://127.0.0.1:${portOf(server)}`;
    const answer = await request(url, { method: 'POST', body: 'x', headers: ['Host', 'evil', 'X-A', '1', 'X-A', '2'] });
    expect(answer).toMatchObject({ status: 302, headers: { location: '/cut' }, body: packed });
    await expect(request(`${url}/cut`)).rejects.toThrow(/aborted/);
    await new Promise((resolve) => server.close(resolve));
  });
});
