import { Logger } from '@nestjs/common';
import { CacheEvents } from '../cache';
import { ManualClock } from '../kernel/clock';
import { RefreshLog } from './refresh.log';

describe('the log of background refreshes', () => {
  const lines: string[] = [];
  const clock = new ManualClock();
  const events = new CacheEvents();
  const report = (failure?: string, upstream = 'github') => events.refreshed({ upstream, key: 'k', failure });

  beforeAll(() => {
    for (const level of ['warn', 'log'] as const)
      jest.spyOn(Logger.prototype, level).mockImplementation((...said: unknown[]) => {
        lines.push(`${level}: ${String(said[0])}`);
      });
    new RefreshLog(events, clock);
  });
  beforeEach(() => (lines.length = 0));
  afterAll(() => jest.restoreAllMocks());

  it('has one line for an outage and one for its end', () => {
    for (let failed = 0; failed < 1_000; failed++) report('upstream-timeout');
    expect(lines).toEqual(['warn: Refreshes of github fail (upstream-timeout); stale responses are served instead.']);
    clock.advance(10_000);
    for (let done = 0; done < 10; done++) report();
    expect(lines.slice(1)).toEqual(['log: Refreshes of github work again; 1000 failed.']);
  });

  it('has no line while every other refresh fails', () => {
    report('upstream-error');
    for (let at = 0; at < 1_000; at++) {
      clock.advance(100);
      report(at % 2 === 0 ? undefined : 'upstream-error');
    }
    expect(lines).toHaveLength(1);
    clock.advance(10_000);
    report();
    expect(lines).toHaveLength(2);
  });

  it('distinguishes upstreams', () => {
    report('upstream-error', 'one');
    report('upstream-error', 'other');
    expect(lines).toHaveLength(2);
  });

  it('is silent where nothing fails', () => {
    report(undefined, 'healthy');
    expect(lines).toEqual([]);
  });
});
