import type { OriginRequest } from '../model/exchange';
import {
  always,
  down,
  HeldUpstream,
  never,
  notModified,
  request,
  response,
  setUp,
  type Load,
} from '../../../test/support/engine-cache';

describe('HttpCache over an origin of this service', () => {
  it('loads once, then answers from the store until the TTL ends', async () => {
    const { cache, clock } = setUp();
    expect(await cache.answer(request(), always(response('1')))).toMatchObject({
      outcome: 'MISS',
      forwarded: 'uri-miss',
      stored: true,
    });
    clock.advance(999);
    expect(await cache.answer(request(), never)).toMatchObject({ outcome: 'HIT', tier: 'l1' });
    clock.advance(1);
    const after = await cache.answer(request(), always(response('2')));
    expect([after.outcome, after.forwarded, after.entry.body.toString()]).toEqual(['MISS', 'stale', '2']);
  });

  it('revalidates a stale entry and keeps its body on 304', async () => {
    const { cache, clock } = setUp();
    await cache.answer(request(), always(response('1')));
    clock.advance(1_500);
    const asked: OriginRequest[] = [];
    const answer = await cache.answer(request(), (context) => {
      asked.push(context);
      return Promise.resolve(notModified([['x-new', '1']]));
    });
    expect(asked[0]?.headers).toEqual([['if-none-match', '"u"']]);
    expect(answer).toMatchObject({ outcome: 'REVALIDATED', stored: true });
    expect([answer.entry.body.toString(), answer.entry.headers]).toEqual(['1', [['x-new', '1']]]);
    expect((await cache.answer(request(), never)).outcome).toBe('HIT');
  });

  it('validates a soft-purged entry before any use, and falls back on it when the upstream fails', async () => {
    const { cache, invalidator } = setUp();
    const swr = request({ staleWhileRevalidateMs: 5_000 });
    await cache.answer(swr, always(response('1')));
    await invalidator.invalidate({ kind: 'key', key: 'k' }, 'stale');
    expect((await cache.answer(swr, always(down()))).outcome).toBe('STALE_ON_ERROR');
    expect((await cache.answer(swr, always(notModified()))).outcome).toBe('REVALIDATED');
    expect((await cache.answer(swr, never)).outcome).toBe('HIT');
  });

  it('remembers a "not found" for the negative TTL, with no stale windows', async () => {
    const { cache, clock } = setUp();
    await cache.answer(request(), always(response('no', { status: 404 })));
    clock.advance(99);
    expect((await cache.answer(request(), never)).entry.status).toBe(404);
    clock.advance(1);
    expect((await cache.answer(request(), always(response('yes')))).outcome).toBe('MISS');
  });

  it('answers and does not store what is too large, or says so itself', async () => {
    const { cache } = setUp();
    const large = response('x'.repeat(1_001));
    expect(await cache.answer(request(), always(large))).toMatchObject({ outcome: 'MISS', stored: false });
    expect(await cache.answer(request(), always(response('1', { isUncacheable: true })))).toMatchObject({
      outcome: 'MISS',
      stored: false,
    });
    expect(await cache.answer(request(), always(response('2')))).toMatchObject({ outcome: 'MISS', stored: true });
  });

  it('refreshes a hot entry early, behind a hit', async () => {
    let random = 0;
    const { cache, clock } = setUp({ random: () => random });
    const early = request({ earlyRefreshBeta: 1 });
    await cache.answer(early, async () => {
      clock.advance(100); // how long the load takes
      return response('1');
    });
    clock.advance(800);
    expect(cache.http.peek(early)).toMatchObject({ outcome: 'HIT' }); // a draw of 1 never refreshes before the end
    expect((await cache.answer(early, never)).outcome).toBe('HIT');
    random = 0.8;
    expect(cache.http.peek(early)).toBeUndefined();
    const upstream = new HeldUpstream();
    const { outcome, isRefreshing, entry } = await cache.answer(early, upstream.load);
    expect([outcome, isRefreshing, entry.body.toString()]).toEqual(['HIT', true, '1']);
    await upstream.answer(response('2'));
    random = 0;
    expect((await cache.answer(early, never)).entry.body.toString()).toBe('2');
  });

  it.each([
    ['no-cache', 'cache-control', 'no-cache', 'REVALIDATED'],
    ['max-age', 'cache-control', 'max-age=0', 'REVALIDATED'],
    ['no-store', 'cache-control', 'no-store', 'HIT'],
    ['Pragma', 'pragma', 'no-cache', 'REVALIDATED'],
    ['a larger max-age', 'cache-control', 'max-age=900', 'HIT'],
    ['a range', 'range', 'bytes=0-0', 'HIT'],
  ])('respects %s of a request', async (_name, field, value, outcome) => {
    const { cache, clock } = setUp();
    await cache.answer(request(), always(response('1')));
    clock.advance(10);
    const asking = request({}, { headers: [[field, value]] });
    const origin: Load = ({ headers }) =>
      Promise.resolve(headers.some(([name]) => name === 'if-none-match') ? notModified() : response('2'));
    expect((await cache.answer(asking, origin)).outcome).toBe(outcome);
  });

  it('answers 504 to only-if-cached where nothing is stored, without a load', async () => {
    const { cache } = setUp();
    const asking = request({}, { headers: [['cache-control', 'only-if-cached']] });
    await expect(cache.answer(asking, never)).rejects.toMatchObject({ code: 'not-cached' });
    await cache.answer(request(), always(response('1')));
    expect((await cache.answer(asking, never)).outcome).toBe('HIT');
  });

  it("takes the response's own Cache-Control where the rule states no lifetime", async () => {
    const { cache, clock } = setUp();
    const byDefault = request({ ttlMs: undefined, defaultTtlMs: 1_000 });
    await cache.answer(byDefault, always(response('1', { headers: [['cache-control', 'max-age=5']] })));
    clock.advance(4_999);
    expect((await cache.answer(byDefault, never)).outcome).toBe('HIT');
    clock.advance(1);
    await cache.answer(byDefault, always(response('2')));
    clock.advance(999);
    expect((await cache.answer(byDefault, never)).outcome).toBe('HIT');
    clock.advance(1);
    expect((await cache.answer(byDefault, always(response('3')))).outcome).toBe('MISS');
  });
});
