import { withDefaults, type ResponseCacheOptions } from './response-cache.defaults';

describe('the options of the module', () => {
  it.each<[object, RegExp]>([
    [{ ttl: 5_000 }, /^ResponseCacheModule has no option ttl\. There are: policy, l1, redis, .*deadlineMs/],
    [{ policy: { ttl: 5_000 } }, /^ResponseCacheModule has no option policy\.ttl\. There are: ttlMs, /],
    [
      { policy: { ttlMs: '60000' } },
      /^The option policy\.ttlMs of ResponseCacheModule must be a number, and is a string\. Example: ttlMs: /,
    ],
    [{ l1: { maxBytes: NaN } }, /^The option l1\.maxBytes .* is NaN/],
    [{ deadlineMs: '5s' }, /^The option deadlineMs .* is a string/],
    [
      { redis: 'http://:hunter2@redis' },
      /^The option redis of ResponseCacheModule has the unknown scheme "http"; use host:port(?!.*hunter2)/,
    ],
  ])('stop the start where they are wrong: %j', (options, sentence) => {
    expect(() => withDefaults(options as ResponseCacheOptions)).toThrow(sentence);
  });

  it('have their defaults where they are undefined', () => {
    const left = { policy: { ttlMs: undefined }, l1: { maxBytes: undefined }, deadlineMs: undefined } as unknown;
    const redis = { url: 'localhost', keyPrefix: undefined } as unknown as { url: string };
    const options = withDefaults({ ...(left as ResponseCacheOptions), redis });
    expect(options).toMatchObject({ ...withDefaults({}), redis: { keyPrefix: 'larder' } });
  });

  it('let a lease outlast a renewal that takes as long as a command to Redis may', () => {
    const redis = { url: 'localhost', commandTimeoutMs: 5_000 };
    expect(withDefaults({ redis }).leaseMs).toBe(7_500);
    expect(withDefaults({ redis, leaseMs: 30_000 }).leaseMs).toBe(30_000);
    expect(withDefaults({ redis: 'localhost' }).leaseMs).toBe(1_000);
  });
});
