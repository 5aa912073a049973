import { SystemClock } from './clock';

it('counts the time for which the machine was suspended, and no inaccuracy of its timers', () => {
  const machine = { monotonic: 1_000, uptime: 50_000 };
  const clock = new SystemClock({ monotonicMs: () => machine.monotonic, uptimeMs: () => machine.uptime });
  const start = clock.now();
  const pass = (monotonic: number, uptime = monotonic): number => {
    machine.monotonic += monotonic;
    machine.uptime += uptime;
    clock.addSuspension();
    return clock.now() - start;
  };
  expect(pass(10_000)).toBe(10_000);
  expect(pass(1_000, 1_010)).toBe(11_000);
  expect(pass(1_000, 990)).toBe(12_000);
  expect(pass(1_000, 3_601_000)).toBe(3_613_000);
  expect(pass(1_000, 900)).toBe(3_614_000);
  expect(pass(1_000, 60_000)).toBeGreaterThan(3_673_000);
});
