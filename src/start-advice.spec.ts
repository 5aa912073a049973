import { parseRedisEndpoint } from './redis/redis-endpoint';
import { startAdvice } from './start-advice';

const github = { credentialSecret: 'hunter2-hunter2', isStrict: false };
const redis = (uri: string) => ({ endpoint: parseRedisEndpoint(uri), password: 'hunter2' });

describe('what is told at a start', () => {
  it.each([
    ['redis://user:hunter2@redis.example', 'Redis at redis.example:6379'],
    ['redis+cluster://a:1,b:2', 'the Redis Cluster of a:1, b:2'],
    ['redis+sentinel://a,b/main', 'the Redis that the sentinels at a:26379, b:26379 call main'],
  ])('names the store at %s, and no credential', (uri, name) => {
    const { store, warnings } = startAdvice(redis(uri), github);
    expect(store).toBe(`Entries are kept in ${name}, and in memory in front of it.`);
    expect(warnings).toEqual([]);
  });

  it('says that memory is all there is', () => {
    expect(startAdvice({ endpoint: undefined }, { ...github, credentialSecret: undefined })).toEqual({
      store: expect.stringContaining('in memory only'),
      warnings: [],
    });
  });

  it.each([
    ['a password without a Redis', { endpoint: undefined, password: 'hunter2' }, github, /no Redis/],
    ['no secret that replicas share', redis('a'), { ...github, credentialSecret: undefined }, /CREDENTIAL_SECRET/],
    ['the profile for measuring', redis('a'), { ...github, isStrict: true }, /GATEWAY_PROFILE/],
  ])('warns of %s', (_what, redisSlice, githubSlice, warning) => {
    const { warnings } = startAdvice(redisSlice, githubSlice);
    expect(warnings).toEqual([expect.stringMatching(warning)]);
    expect(warnings.join()).not.toContain('hunter2');
  });
});
