import { SingleFlight } from './single-flight';

function deferred<T>() {
  let settle!: { resolve: (value: T) => void; reject: (error: Error) => void };
  const promise = new Promise<T>((resolve, reject) => (settle = { resolve, reject }));
  return { promise, ...settle };
}

describe('SingleFlight', () => {
  it('calls once for all who ask while the call is under way', async () => {
    const flights = new SingleFlight<number>();
    const call = deferred<number>();
    let calls = 0;
    const asked = Array.from({ length: 100 }, () =>
      flights.run('k', () => {
        calls++;
        return call.promise;
      }),
    );
    call.resolve(7);
    expect(await Promise.all(asked.map(({ result }) => result))).toEqual(Array(100).fill(7));
    expect(calls).toBe(1);
    expect(asked.filter(({ isLeader }) => isLeader)).toHaveLength(1);
  });

  it('shares a failure and leaves nothing behind', async () => {
    const flights = new SingleFlight<number>();
    const call = deferred<number>();
    const asked = [1, 2, 3].map(() => flights.run('k', () => call.promise).result);
    call.reject(new Error('down'));
    const outcomes = await Promise.allSettled(asked);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(flights.size).toBe(0);
    await expect(flights.run('k', () => Promise.resolve(2)).result).resolves.toBe(2);
  });

  it('lets nobody join a detached flight, and its end leaves the next one alone', async () => {
    const flights = new SingleFlight<string>();
    const old = deferred<string>();
    const next = deferred<string>();
    const first = flights.run('k', () => old.promise);
    flights.detach('k');
    const second = flights.run('k', () => next.promise);
    expect(second.isLeader).toBe(true);
    old.resolve('old');
    await expect(first.result).resolves.toBe('old');
    expect(flights.has('k')).toBe(true);
    next.resolve('new');
    await expect(second.result).resolves.toBe('new');
    expect(flights.size).toBe(0);
  });
});
