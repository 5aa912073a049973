import { explainCacheStatus, parseCacheStatus } from './cache-status';

it('reads a hit', () => {
  expect(parseCacheStatus('larder; hit; ttl=3599; key="github:-:/users/redis"; detail=HIT/l1')).toMatchObject({
    ...{ isHit: true, isStored: false, ttlSeconds: 3599, key: 'github:-:/users/redis', outcome: 'HIT', tier: 'l1' },
  });
});

it('reads what failed behind a stale answer', () => {
  const status = parseCacheStatus('larder; hit; ttl=-4; detail=STALE_ON_ERROR/l2:upstream-unreachable');
  expect(status).toMatchObject({
    outcome: 'STALE_ON_ERROR',
    tier: 'l2',
    failure: 'upstream-unreachable',
    ttlSeconds: -4,
  });
});

it('takes the cache nearest to the client, the last of the list', () => {
  expect(parseCacheStatus('origin; hit; key="a, b; hit", larder; fwd=miss; stored')).toMatchObject({
    ...{ isHit: false, forwarded: 'miss', isStored: true },
  });
});

it('finds separators and escapes within a quoted key', () => {
  expect(parseCacheStatus(String.raw`larder; key="a\"b; hit, \\"; fwd=stale`)).toMatchObject({
    ...{ key: String.raw`a"b; hit, \ `.trim(), isHit: false, forwarded: 'stale' },
  });
});

it('is undefined without the field, and says nothing of nonsense', () => {
  expect(parseCacheStatus(undefined)).toBeUndefined();
  expect(parseCacheStatus('')).toMatchObject({ isHit: false, outcome: undefined });
});

it('puts every parameter that is there into words', () => {
  const status = parseCacheStatus(
    'larder; fwd=stale; fwd-status=304; stored; ttl=59; key="k"; detail=REVALIDATED/upstream',
  );
  expect(explainCacheStatus(status!).map(({ term }) => term)).toEqual([
    ...['fwd=stale', 'fwd-status=304', 'stored', 'ttl=59', 'key="k"', 'detail=REVALIDATED/upstream'],
  ]);
});
