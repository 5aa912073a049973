import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { startDeadline } from './deadline';

/** Nothing else runs meanwhile, as under SIGSTOP. */
const standStill = (ms: number): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
};

describe('a deadline', () => {
  it('is missed after its time', async () => {
    const began = performance.now();
    await new Promise<void>((resolve) => startDeadline(30, resolve));
    expect(performance.now() - began).toBeGreaterThan(29);
  });

  it('is not missed after it was cancelled, not even in the turn in which it is due', async () => {
    let isMissed = false;
    const cancel = startDeadline(20, () => (isMissed = true));
    setTimeout(cancel, 20);
    standStill(40); // so both are due
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(isMissed).toBe(false);
  });

  it.each([
    ['a little longer', 60],
    ['much longer', 400],
  ])('is not missed if data arrived while the process stood still %s', async (_what, ms) => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const accepted = once(server, 'connection');
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [peer] = (await accepted) as [Socket];
    const outcome = new Promise<string>((resolve) => {
      const cancel = startDeadline(40, () => resolve('missed'));
      client.once('data', () => {
        cancel();
        resolve('read');
      });
    });
    peer.write('x');
    standStill(ms);
    expect(await outcome).toBe('read');
    client.destroy();
    server.close();
  });

  it.each([
    ['ends before it is due', 350, 400],
    ['is longer', 550, 300],
  ])('does not count a standstill that %s', async (_what, standstillMs, ms) => {
    const began = performance.now();
    const missed = new Promise<void>((resolve) => startDeadline(ms, resolve));
    standStill(standstillMs);
    await missed;
    expect(performance.now() - began).toBeGreaterThan(standstillMs + 0.8 * ms);
  });

  it('is missed in the end in a process that stands still again and again', async () => {
    const missed: string[] = [];
    startDeadline(100, () => missed.push('missed'));
    for (let times = 0; times < 20 && missed.length === 0; times++) {
      standStill(150);
      for (let turns = 0; turns < 3; turns++) await new Promise(setImmediate);
    }
    expect(missed).toEqual(['missed']);
  });
});
