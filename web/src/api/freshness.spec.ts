import { freshUntil } from './freshness';
import type { Exchange, Fields } from './http';

const exchange = (headers: Fields): Exchange => ({
  ...{ sent: { method: 'GET', path: '/', headers: [] }, at: 1_000_000, status: 200, headers, text: '', bytes: 0 },
  ...{ totalMs: 500, serviceMs: undefined },
});

it('counts from the moment at which the answer arrived', () => {
  const fresh = freshUntil(
    exchange([
      ['cache-status', 'larder; hit; ttl=50; detail=HIT/l1'],
      ['age', '10'],
    ]),
  );
  expect(fresh).toEqual({ until: 1_050_500, totalSeconds: 60 });
});

it('reads Cache-Control where the cache does not say it, s-maxage first', () => {
  const fresh = freshUntil(
    exchange([
      ['cache-status', 'larder; fwd=uri-miss; stored'],
      ['cache-control', 'max-age=5, s-maxage=60'],
    ]),
  );
  expect(fresh?.until).toBe(1_060_500);
});

it('is undefined for what is not stored, and for what says nothing of it', () => {
  expect(
    freshUntil(
      exchange([
        ['cache-status', 'larder; fwd=miss'],
        ['cache-control', 'max-age=5'],
      ]),
    ),
  ).toBeUndefined();
  expect(freshUntil(exchange([['cache-status', 'larder; hit']]))).toBeUndefined();
  expect(freshUntil(exchange([]))).toBeUndefined();
});
