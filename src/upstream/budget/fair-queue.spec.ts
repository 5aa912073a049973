import { FairQueue, type FairQueueOptions } from './fair-queue';

const queueOf = (more: Partial<FairQueueOptions> = {}): FairQueue =>
  new FairQueue({ maxConcurrency: 1, maxWaiting: 100, deadlineMs: 60_000, ...more });

/** Calls that begin when it is their turn and end when the test says so. */
class Calls {
  readonly begun: string[] = [];
  private readonly endings = new Map<string, () => void>();

  constructor(
    private readonly queue: FairQueue,
    private readonly limitOf: () => number = () => Infinity,
  ) {}

  add(tenant: string, name: string, signal?: AbortSignal): Promise<string> {
    const ticket = { tenant, limitOf: this.limitOf, ...(signal === undefined ? {} : { signal }) };
    return this.queue.run(ticket, () => {
      this.begun.push(name);
      return new Promise((resolve) => this.endings.set(name, () => resolve(name)));
    });
  }

  async end(name: string): Promise<void> {
    await settled();
    this.endings.get(name)?.();
    await settled();
  }
}

async function settled(): Promise<void> {
  for (let turns = 0; turns < 10; turns++) await Promise.resolve();
}

describe('a fair queue', () => {
  it('lets the lines take turns, however long each is', async () => {
    const calls = new Calls(queueOf());
    for (const name of ['a1', 'a2', 'a3', 'a4']) void calls.add('a', name);
    for (const name of ['b1', 'b2']) void calls.add('b', name);
    void calls.add('c', 'c1');
    for (const name of ['a1', 'a2', 'b1', 'c1', 'a3', 'b2', 'a4']) await calls.end(name);
    expect(calls.begun).toEqual(['a1', 'a2', 'b1', 'c1', 'a3', 'b2', 'a4']);
  });

  it('never runs more at once than it may', async () => {
    const queue = queueOf({ maxConcurrency: 3 });
    let [running, most] = [0, 0];
    const call = async (): Promise<void> => {
      most = Math.max(most, ++running);
      await new Promise(setImmediate);
      running -= 1;
    };
    const all = Array.from({ length: 50 }, (_, at) =>
      queue.run({ tenant: `l${at % 7}`, limitOf: () => Infinity }, call),
    );
    await Promise.all(all);
    expect([most, queue.size]).toEqual([3, { active: 0, waiting: 0 }]);
  });

  it('runs no more of a tenant than its own limit, and others besides', async () => {
    const calls = new Calls(queueOf({ maxConcurrency: 10 }), () => 2);
    for (const name of ['a1', 'a2', 'a3']) void calls.add('a', name);
    void calls.add('b', 'b1');
    await calls.end('none');
    expect(calls.begun).toEqual(['a1', 'a2', 'b1']);
    await calls.end('a2');
    expect(calls.begun).toEqual(['a1', 'a2', 'b1', 'a3']);
  });

  it('runs at least one of a line, whatever its limit', async () => {
    const calls = new Calls(queueOf({ maxConcurrency: 10 }), () => 0);
    void calls.add('a', 'a1');
    void calls.add('a', 'a2');
    await calls.end('a1');
    expect(calls.begun).toEqual(['a1', 'a2']);
  });

  it('goes on when a call fails, or throws at once', async () => {
    const queue = queueOf();
    const ticket = { tenant: 'a', limitOf: () => 1 };
    await expect(queue.run(ticket, () => Promise.reject(new Error('first')))).rejects.toThrow('first');
    const thrown = (): Promise<never> => {
      throw new Error('second');
    };
    await expect(queue.run(ticket, thrown)).rejects.toThrow('second');
    expect(await queue.run(ticket, () => Promise.resolve('third'))).toBe('third');
  });

  it('gives a place on once, however often it is left', async () => {
    const queue = queueOf();
    const ticket = { tenant: 'a', limitOf: () => Infinity };
    const first = await queue.enter(ticket);
    const [second, third] = [queue.enter(ticket), queue.enter(ticket)];
    first.release();
    first.release();
    await second;
    expect(queue.size).toEqual({ active: 1, waiting: 1 });
    (await second).release();
    (await third).release();
    expect(queue.size).toEqual({ active: 0, waiting: 0 });
  });

  it('forgets who has gone before its turn', async () => {
    const [calls, client] = [new Calls(queueOf()), new AbortController()];
    void calls.add('a', 'a1');
    const gone = calls.add('b', 'b1', client.signal);
    const late = calls.add('b', 'b2', AbortSignal.abort(new Error('gone already')));
    const kept = calls.add('b', 'b3');
    client.abort(new Error('the client has gone'));
    await expect(gone).rejects.toThrow('the client has gone');
    await expect(late).rejects.toThrow('gone already');
    await calls.end('a1');
    await calls.end('b3');
    expect([await kept, calls.begun]).toEqual(['b3', ['a1', 'b3']]);
  });

  it('refuses a call when the queue is full, and a call that has waited too long', async () => {
    const queue = queueOf({ maxWaiting: 1, deadlineMs: 20 });
    const calls = new Calls(queue);
    void calls.add('a', 'a1');
    const waits = calls.add('a', 'a2');
    await expect(calls.add('b', 'b1')).rejects.toMatchObject({ code: 'deadline-exceeded' });
    await expect(waits).rejects.toMatchObject({ code: 'deadline-exceeded' });
    expect(queue.size).toEqual({ active: 1, waiting: 0 });
  });
});
