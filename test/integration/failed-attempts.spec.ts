import { MemoryStore } from '../../src/cache/store/memory/memory-store';
import { ManualClock } from '../../src/kernel/clock';
import { FailedAttempts } from '../../src/server/failed-attempts';

const ADDRESS = '192.0.2.1';
const COUNTED = { group: 'admin-attempts', what: 'wrong admin tokens' };

describe('wrong admin tokens', () => {
  const clock = new ManualClock();
  const guess = (attempts: FailedAttempts, address = ADDRESS) => attempts.register(address, true);

  it('are counted over all replicas by address; the limit lasts for the rest of the minute', async () => {
    const store = new MemoryStore({ maxBytes: 1_000_000, maxEntries: 100 }, clock);
    const [one, other] = [new FailedAttempts(clock, store, COUNTED), new FailedAttempts(clock, store, COUNTED)];
    for (let count = 0; count < 10; count++) expect([await guess(one), await guess(other)]).toEqual([0, 0]);
    expect(await guess(one)).toBeGreaterThan(0);
    expect(await other.register(ADDRESS, false)).toBeGreaterThan(0);
    expect(await guess(one, '192.0.2.2')).toBe(0);
    clock.advance(60_000);
    expect(await guess(other)).toBe(0);
  });

  it('from an IPv6 network of one host are counted together', async () => {
    const attempts = new FailedAttempts(
      clock,
      new MemoryStore({ maxBytes: 1_000_000, maxEntries: 100 }, clock),
      COUNTED,
    );
    for (let host = 1; host <= 20; host++) expect(await guess(attempts, `2001:db8::${host}`)).toBe(0);
    expect(await guess(attempts, '2001:db8::ffff')).toBeGreaterThan(0);
    expect(await guess(attempts, '2001:db8:0:1::1')).toBe(0);
  });

  it('that come at once are let through up to the limit', async () => {
    const store = new MemoryStore({ maxBytes: 1_000_000, maxEntries: 100 }, clock);
    const attempts = new FailedAttempts(clock, store, COUNTED);
    const waits = await Promise.all(Array.from({ length: 1_000 }, () => guess(attempts, '192.0.2.3')));
    expect(waits.filter((waitMs) => waitMs === 0)).toHaveLength(20);
  });

  it('are counted by each process while the store is down', async () => {
    const down = new Proxy({} as MemoryStore, { get: () => () => Promise.reject(new Error('down')) });
    const attempts = new FailedAttempts(clock, down, COUNTED);
    const waits = [];
    for (let count = 0; count < 25; count++) waits.push(await guess(attempts));
    expect(waits.map((waitMs) => waitMs > 0)).toEqual(Array.from({ length: 25 }, (_, at) => at >= 20));
  });
});
