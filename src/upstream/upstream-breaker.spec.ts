import { AppError, type ErrorCode } from '../kernel/app-error';
import { UpstreamBreaker } from './upstream-breaker';

describe('the breaker of an upstream', () => {
  let now = 0;
  let breaker: UpstreamBreaker;
  beforeEach(() => {
    now = 0;
    breaker = new UpstreamBreaker({ name: 'api', failures: 5, pauseMs: 1_000 }, () => now);
  });

  /** A call that is under way until it is told how it ends; `codes` are what it says of the breaker. */
  const send = (path: string) => {
    let settle: (error?: Error) => void = () => undefined;
    const ended = breaker
      .run(
        path,
        () => new Promise<string>((resolve, reject) => (settle = (error) => (error ? reject(error) : resolve('ok')))),
      )
      .catch((error: unknown) => (error as AppError).code);
    return { ended, answer: () => settle(), fail: (code: ErrorCode) => settle(new AppError(code, code)) };
  };
  const fails = async (path: string, code: ErrorCode = 'upstream-timeout', tookMs = 10): Promise<unknown> => {
    const call = send(path);
    now += tookMs;
    call.fail(code);
    return call.ended;
  };

  it('opens after failures in a row of several paths, and says for how long', async () => {
    for (const path of ['/a', '/b', '/c', '/d', '/e']) expect(await fails(path)).toBe('upstream-timeout');
    expect(breaker.isPaused).toBe(true);
    await expect(breaker.run('/f', () => Promise.resolve())).rejects.toMatchObject({
      code: 'upstream-paused',
      retryAfterMs: 1_000,
    });
  });

  it('stays closed while one path fails, whatever its query', async () => {
    for (let times = 0; times < 100; times++) await fails(`/hangs?page=${times}`);
    expect(breaker.isPaused).toBe(false);
  });

  it('opens for an upstream that cannot be reached, whatever the path', async () => {
    for (let times = 0; times < 5; times++) await fails('/a', 'upstream-unreachable');
    expect(breaker.isPaused).toBe(true);
  });

  it('does not count a failure if the upstream has answered another request in between', async () => {
    for (const path of ['/a', '/b', '/c', '/d', '/e', '/f', '/g']) {
      const hanging = send(path);
      now += 10;
      const other = send('/other');
      other.answer();
      await other.ended;
      now += 10_000;
      hanging.fail('upstream-timeout');
      await hanging.ended;
    }
    expect(breaker.isPaused).toBe(false);
  });

  it.each<ErrorCode>(['overloaded', 'request-timeout', 'upstream-rate-limited'])(
    'does not count %s, which is no failure of the upstream',
    async (code) => {
      for (const path of ['/a', '/b', '/c', '/d', '/e']) await fails(path, code);
      expect(breaker.isPaused).toBe(false);
    },
  );

  it('tries several paths after the pause, each once at a time, and closes at the first answer', async () => {
    for (const path of ['/a', '/b', '/c', '/d', '/e']) await fails(path);
    now += 1_000;
    const hanging = send('/hangs');
    expect(await send('/hangs').ended).toBe('upstream-paused');
    const other = send('/other');
    now += 1;
    other.answer();
    expect(await other.ended).toBe('ok');
    expect(breaker.isPaused).toBe(false);
    hanging.fail('upstream-timeout');
    await hanging.ended;
    expect(breaker.isPaused).toBe(false);
  });

  it('pauses again when a probe fails', async () => {
    for (const path of ['/a', '/b', '/c', '/d', '/e']) await fails(path);
    now += 1_000;
    expect(await fails('/again')).toBe('upstream-timeout');
    expect(await send('/other').ended).toBe('upstream-paused');
  });
});
