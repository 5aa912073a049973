import { parseRedisEndpoint } from './redis-endpoint';

describe('parseRedisEndpoint', () => {
  it.each([
    ['localhost:6379', { mode: 'single', isTls: false, nodes: [{ host: 'localhost', port: 6379 }], database: 0 }],
    ['localhost', { nodes: [{ host: 'localhost', port: 6379 }] }],
    ['redis://10.0.0.1:7000/3', { nodes: [{ host: '10.0.0.1', port: 7000 }], database: 3 }],
    ['rediss://user:p%40ss@cache.example:6380', { isTls: true, username: 'user', password: 'p@ss' }],
    ['redis://:pw@h', { password: 'pw' }],
    ['redis://[::1]:6379', { nodes: [{ host: '::1', port: 6379 }] }],
    [
      'redis+sentinel://s1,s2:26380/mymaster',
      {
        mode: 'sentinel',
        sentinelName: 'mymaster',
        nodes: [
          { host: 's1', port: 26379 },
          { host: 's2', port: 26380 },
        ],
      },
    ],
    [
      'redis+cluster://h1:1,h2:2',
      {
        mode: 'cluster',
        nodes: [
          { host: 'h1', port: 1 },
          { host: 'h2', port: 2 },
        ],
      },
    ],
    [
      'redis-12345.c1.cloud.redislabs.com:12345',
      { nodes: [{ host: 'redis-12345.c1.cloud.redislabs.com', port: 12345 }] },
    ],
  ])('reads %s', (uri, endpoint) => {
    expect(parseRedisEndpoint(uri)).toMatchObject(endpoint);
  });

  it.each([
    ['http://x', 'unknown scheme'],
    ['a:b:c', 'names the host'],
    ['h:99999', 'names the host'],
    ['h1,h2', 'names 2 hosts'],
    ['redis://h/x', 'names the database'],
    ['redis+cluster://h/2', 'only number 0'],
    ['redis+sentinel://h', 'does not name the primary'],
  ])('refuses %s: %s', (uri, problem) => {
    expect(() => parseRedisEndpoint(uri)).toThrow(problem);
  });

  it.each(['redis://:pass/word@h:1', 'redis://:pass@word@h', 'redis://:pass@wo/rd@h', 'redis://u:pass%word@h'])(
    'says of %s that its password has to be encoded, and repeats nothing of it',
    (uri) => {
      expect(() => parseRedisEndpoint(uri)).toThrow('percent-encode it there');
      expect(() => parseRedisEndpoint(uri)).not.toThrow(/pass\b|pass@|word@|rd@/);
    },
  );
});
