import { parseRedisEndpoint } from '../redis/redis-endpoint';
import { startAdvice } from './start-advice';

const upstreams = { credentialSecret: 'hunter2-hunter2', strict: [] as string[] };
const MIB = 1_048_576;
const GIB = 1_024 * MIB;
const roomy = { maxBytes: 67_108_864, memory: { heapBytes: 4 * GIB, totalBytes: 16 * GIB, processes: 1 } };
const redis = (uri: string) => ({ endpoint: parseRedisEndpoint(uri), password: 'hunter2' });

describe('the advice at a start', () => {
  it.each([
    ['redis://user:hunter2@redis.example', 'Redis at redis.example:6379'],
    ['redis+cluster://a:1,b:2', 'the Redis Cluster of a:1, b:2'],
    ['redis+sentinel://a,b/main', 'the Redis that the sentinels at a:26379, b:26379 call main'],
  ])('names the store at %s, and no credential', (uri, name) => {
    const { store, warnings } = startAdvice(redis(uri), upstreams, roomy);
    expect(store).toBe(`Entries are kept in ${name}, and in memory in front of it.`);
    expect(warnings).toEqual([]);
  });

  it('says that memory is the only store', () => {
    expect(startAdvice({ endpoint: undefined }, { ...upstreams, credentialSecret: undefined }, roomy)).toEqual({
      store: expect.stringContaining('in memory only'),
      warnings: [],
    });
  });

  it('names the store that CACHE_STORE chooses', () => {
    const chosen = (store: 'memory' | 'cache-manager-redis-yet', uri?: string) =>
      startAdvice({ endpoint: undefined, ...(uri && redis(uri)), store }, upstreams, roomy);
    expect(chosen('memory')).toEqual({ store: expect.stringContaining('for CACHE_STORE is memory.'), warnings: [] });
    expect(chosen('cache-manager-redis-yet', 'a').store).toContain('Redis at a:6379, through cache-manager-redis-yet');
  });

  it.each([
    ['a password without a Redis', { endpoint: undefined, password: 'hunter2' }, upstreams, /no Redis/],
    ['no secret that replicas share', redis('a'), { ...upstreams, credentialSecret: undefined }, /CREDENTIAL_SECRET/],
    ['the profile for measuring', redis('a'), { ...upstreams, strict: ['Api'] }, /GATEWAY_PROFILE/],
  ])('warns of %s', (_what, redisSlice, facts, warning) => {
    const { warnings } = startAdvice(redisSlice, facts, roomy);
    expect(warnings).toEqual([expect.stringMatching(warning)]);
    expect(warnings.join()).not.toContain('hunter2');
  });

  it.each([
    [900, 1_000, false],
    [901, 1_000, true],
    [5_000, 1_024, true],
    [1_000_000, undefined, false],
    [undefined, 64, false],
  ])('MAX_CONNECTIONS of %s with ulimit -n of %s: a warning: %s', (maxConnections, openFiles, isTold) => {
    const { warnings } = startAdvice(redis('a'), upstreams, roomy, { maxConnections, openFiles });
    expect(warnings).toHaveLength(isTold ? 1 : 0);
  });

  it.each([
    [true, [expect.stringMatching(/^TRUST_PROXY is true.*TRUST_PROXY=loopback/)]],
    [1, []],
    [['10.0.0.0/8'], []],
  ])('says what TRUST_PROXY=%s lets clients do, if anything', (trustProxy, warnings) => {
    expect(startAdvice(redis('a'), upstreams, roomy, { trustProxy }).warnings).toEqual(warnings);
  });

  it.each([
    [5_242_880, 100, []],
    [20_971_520, 100, [expect.stringMatching(/^CACHE_MAX_ENTRY_BYTES is 20971520, .* REDIS_COMMAND_TIMEOUT_MS=400,/)]],
    [20_971_520, 400, []],
  ])('says if a body of %s bytes takes longer than %s ms to Redis', (maxEntryBytes, commandTimeoutMs, warnings) => {
    const advice = startAdvice({ ...redis('a'), commandTimeoutMs }, upstreams, { ...roomy, maxEntryBytes });
    expect(advice.warnings).toEqual(warnings);
  });

  it('names the limit that MAX_CONNECTIONS exceeds, and what fits', () => {
    const { warnings } = startAdvice(redis('a'), upstreams, roomy, { maxConnections: 5_000, openFiles: 1_024 });
    expect(warnings).toEqual([
      'MAX_CONNECTIONS is 5000, but a process may open 1024 files (ulimit -n), and needs about 100 for other things: raise that limit to 5100, or set MAX_CONNECTIONS=924.',
    ]);
  });

  it.each([
    [
      'the heap',
      { heapBytes: 160 * MIB, totalBytes: 16 * GIB, processes: 1 },
      "node's heap limit is 160 MiB: 38 MiB are used",
    ],
    [
      'the memory of the container',
      { heapBytes: 4 * GIB, totalBytes: 256 * MIB, processes: 1 },
      'there are 256 MiB of memory: 32 MiB are used',
    ],
    [
      'the memory that workers share',
      { heapBytes: 4 * GIB, totalBytes: GIB, processes: 5 },
      'there are 1024 MiB of memory, for 5 processes: 6.3 MiB are used',
    ],
  ])('says what is used of an L1 that is too large for %s', (_what, memory, figures) => {
    const { warnings } = startAdvice(redis('a'), upstreams, { maxBytes: 64 * MIB, memory });
    expect(warnings).toEqual([expect.stringContaining(`L1_MAX_BYTES is 64 MiB, but ${figures}`)]);
    expect(warnings[0]).toMatch(/set L1_MAX_BYTES=\d+\. See docs\/guides\/sizing\.md\.$/);
  });
});
