import { AppError } from '../../kernel/app-error';
import { ManualClock } from '../../kernel/clock';
import type { CacheRequest } from './cache-request';
import type { FreshnessPolicy } from './cache-rule';
import type { Load, Loaded, LoadContext } from './load';
import { Loader } from './loader';
import { MemoryStore } from './memory-store';
import { ResponseCache } from './response-cache';

const policy: FreshnessPolicy = {
  ttlMs: 1_000,
  negativeTtlMs: 100,
  swrMs: 0,
  sieMs: 10_000,
  jitter: 0,
  earlyRefreshBeta: 0,
};

function setUp(options: { deadlineMs?: number; staleAfterMs?: number; random?: () => number } = {}) {
  const clock = new ManualClock();
  const store = new MemoryStore({ maxBytes: 10_000_000, maxEntries: 1_000 }, clock);
  const loader = new Loader(store, clock, { leaseMs: 60_000, loadTimeoutMs: 60_000, pollMs: 5, maxEntryBytes: 1_000 });
  const cache = new ResponseCache(store, loader, clock, {
    deadlineMs: 5_000,
    staleAfterMs: 5_000,
    random: () => 1,
    ...options,
  });
  return { clock, store, cache };
}

const request = (more: Partial<FreshnessPolicy> = {}, key = 'k'): CacheRequest => ({
  key,
  upstream: 'github',
  tags: [`account:${key}`],
  policy: { ...policy, ...more },
});

function response(body: string, more: Partial<Extract<Loaded, { kind: 'response' }>> = {}): Loaded {
  return {
    kind: 'response',
    status: 200,
    headers: [],
    body: Buffer.from(body),
    validators: { etag: '"u"' },
    tags: [],
    etag: '"c"',
    ...more,
  };
}

/** An upstream whose answers wait until the test lets them go. */
class HeldUpstream {
  readonly asked: LoadContext[] = [];
  private readonly answers: { resolve: (loaded: Loaded) => void; reject: (error: Error) => void }[] = [];

  readonly load: Load = (context) => {
    this.asked.push(context);
    return new Promise((resolve, reject) => this.answers.push({ resolve, reject }));
  };

  async answer(loaded: Loaded | Error): Promise<void> {
    while (this.answers.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const waiting = this.answers.shift();
    if (loaded instanceof Error) waiting?.reject(loaded);
    else waiting?.resolve(loaded);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const down = () => new AppError('upstream-unreachable', 'down');
const always =
  (loaded: Loaded | Error): Load =>
  () =>
    loaded instanceof Error ? Promise.reject(loaded) : Promise.resolve(loaded);
const never: Load = () => {
  throw new Error('the upstream must not be asked');
};

describe('ResponseCache', () => {
  it('loads once, then answers from the store until the TTL ends', async () => {
    const { cache, clock } = setUp();
    expect(await cache.answer(request(), always(response('1')))).toMatchObject({
      outcome: 'MISS',
      forwarded: 'miss',
      stored: true,
    });
    clock.advance(999);
    expect(await cache.answer(request(), never)).toMatchObject({ outcome: 'HIT', tier: 'l1' });
    clock.advance(1);
    const after = await cache.answer(request(), always(response('2')));
    expect([after.outcome, after.forwarded, after.entry.body.toString()]).toEqual(['MISS', 'stale', '2']);
  });

  it('answers a thousand concurrent requests with one load', async () => {
    const { cache } = setUp();
    const upstream = new HeldUpstream();
    const answers = Array.from({ length: 1_000 }, () => cache.answer(request(), upstream.load));
    await upstream.answer(response('1'));
    const outcomes = (await Promise.all(answers)).map(({ outcome }) => outcome);
    expect(upstream.asked).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'MISS')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'COALESCED')).toHaveLength(999);
  });

  it('shares a failed load with those who wait, keeps nothing of it, and tries anew', async () => {
    const { cache } = setUp();
    const upstream = new HeldUpstream();
    const settled = Promise.allSettled([1, 2, 3].map(() => cache.answer(request(), upstream.load)));
    await upstream.answer(down());
    expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(cache.loadsUnderWay).toBe(0);
    expect((await cache.answer(request(), always(response('1')))).outcome).toBe('MISS');
  });

  it('pauses a key after repeated failures, and tries again after the pause', async () => {
    const { cache, clock } = setUp();
    const failing = always(down());
    await expect(cache.answer(request(), failing)).rejects.toThrow('down');
    await expect(cache.answer(request(), failing)).rejects.toThrow('down');
    await expect(cache.answer(request(), never)).rejects.toMatchObject({ code: 'upstream-unreachable' });
    clock.advance(251);
    expect((await cache.answer(request(), always(response('1')))).outcome).toBe('MISS');
  });

  it('keeps from a rate-limited upstream for as long as it asks', async () => {
    const { cache, clock } = setUp();
    const limited = new AppError('upstream-rate-limited', 'spent', { retryAfterMs: 30_000 });
    await expect(cache.answer(request(), always(limited))).rejects.toBe(limited);
    clock.advance(29_000);
    await expect(cache.answer(request(), never)).rejects.toMatchObject({ code: 'upstream-rate-limited' });
    clock.advance(1_001);
    expect((await cache.answer(request(), always(response('1')))).outcome).toBe('MISS');
  });

  it('serves stale at once within stale-while-revalidate, with one refresh behind', async () => {
    const { cache, clock } = setUp();
    await cache.answer(request(), always(response('1')));
    clock.advance(1_001);
    const upstream = new HeldUpstream();
    const swr = request({ swrMs: 5_000 });
    // the entry's own windows count: they are set when it is stored
    expect((await cache.answer(swr, always(response('2')))).outcome).toBe('MISS');
    clock.advance(1_001);
    const answers = await Promise.all([cache.answer(swr, upstream.load), cache.answer(swr, upstream.load)]);
    expect(answers.map(({ outcome, entry }) => [outcome, entry.body.toString()])).toEqual([
      ['HIT_STALE', '2'],
      ['HIT_STALE', '2'],
    ]);
    await upstream.answer(response('3'));
    expect(upstream.asked).toHaveLength(1);
    expect(await cache.answer(swr, never)).toMatchObject({ outcome: 'HIT' });
  });

  it('reports refreshes that no request waits for, failed or not', async () => {
    const { cache, clock } = setUp();
    const reports: unknown[] = [];
    cache.onRefreshed(({ upstream, failure }) => reports.push([upstream, failure]));
    const swr = request({ swrMs: 60_000 });
    await cache.answer(swr, always(response('1')));
    clock.advance(1_001);
    for (const [outcome, afterMs] of [
      [down(), 10_000],
      [response('2'), 0],
    ] as const) {
      const upstream = new HeldUpstream();
      await cache.answer(swr, upstream.load);
      await upstream.answer(outcome);
      clock.advance(afterMs);
    }
    expect(reports).toEqual([
      [swr.upstream, 'upstream-unreachable'],
      [swr.upstream, undefined],
    ]);
  });

  it('revalidates a stale entry and keeps its body on 304', async () => {
    const { cache, clock } = setUp();
    await cache.answer(request(), always(response('1')));
    clock.advance(1_500);
    const asked: LoadContext[] = [];
    const answer = await cache.answer(request(), (context) => {
      asked.push(context);
      return Promise.resolve({ kind: 'not-modified', headers: [['x-new', '1']] });
    });
    expect(asked[0]?.validators).toEqual({ etag: '"u"' });
    expect(answer).toMatchObject({ outcome: 'REVALIDATED', stored: true });
    expect([answer.entry.body.toString(), answer.entry.headers]).toEqual(['1', [['x-new', '1']]]);
    expect((await cache.answer(request(), never)).outcome).toBe('HIT');
  });

  it('serves stale when the upstream fails, within stale-if-error and no longer', async () => {
    const { cache, clock } = setUp();
    await cache.answer(request(), always(response('1')));
    clock.advance(5_000);
    expect(await cache.answer(request(), always(down()))).toMatchObject({
      outcome: 'STALE_ON_ERROR',
      failure: 'upstream-unreachable',
    });
    clock.advance(10_000);
    await expect(cache.answer(request(), always(down()))).rejects.toThrow('down');
  });

  it('serves stale when the upstream is slow, and stores its answer when it comes', async () => {
    const { cache, clock } = setUp({ staleAfterMs: 5 });
    await cache.answer(request(), always(response('1')));
    clock.advance(1_500);
    const upstream = new HeldUpstream();
    expect(await cache.answer(request(), upstream.load)).toMatchObject({
      outcome: 'STALE_ON_ERROR',
      failure: 'deadline-exceeded',
    });
    await upstream.answer(response('2'));
    const next = await cache.answer(request(), never);
    expect([next.outcome, next.entry.body.toString()]).toEqual(['HIT', '2']);
  });

  it('lets nobody wait longer than the deadline', async () => {
    const { cache } = setUp({ deadlineMs: 5 });
    const upstream = new HeldUpstream();
    await expect(cache.answer(request(), upstream.load)).rejects.toMatchObject({ code: 'deadline-exceeded' });
    await upstream.answer(response('late'));
    expect((await cache.answer(request(), never)).outcome).toBe('HIT');
  });

  it('does not store what an invalidation has overtaken, and answers those who waited', async () => {
    const { cache } = setUp();
    const upstream = new HeldUpstream();
    const before = cache.answer(request(), upstream.load);
    while (upstream.asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await cache.invalidate({ kind: 'tag', tag: 'account:k' });
    await upstream.answer(response('old'));
    expect(await before).toMatchObject({ outcome: 'MISS', stored: false });
    const after = await cache.answer(request(), always(response('new')));
    expect([after.outcome, after.entry.body.toString()]).toEqual(['MISS', 'new']);
  });

  it('lets no request join a load that an invalidation has overtaken', async () => {
    const { cache } = setUp();
    const old = new HeldUpstream();
    const before = cache.answer(request(), old.load);
    while (old.asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await cache.invalidate({ kind: 'key', key: 'k' });
    const after = cache.answer(request(), always(response('new')));
    expect((await after).entry.body.toString()).toBe('new');
    await old.answer(response('old'));
    expect((await before).entry.body.toString()).toBe('old');
    expect((await cache.answer(request(), never)).entry.body.toString()).toBe('new');
  });

  it('validates a soft-purged entry before any use, and falls back on it when the upstream fails', async () => {
    const { cache } = setUp();
    const swr = request({ swrMs: 5_000 });
    await cache.answer(swr, always(response('1')));
    await cache.invalidate({ kind: 'key', key: 'k' }, 'stale');
    expect((await cache.answer(swr, always(down()))).outcome).toBe('STALE_ON_ERROR');
    expect((await cache.answer(swr, always({ kind: 'not-modified', headers: [] }))).outcome).toBe('REVALIDATED');
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
    expect(await cache.answer(request(), always(response('1', { ttlMs: 0 })))).toMatchObject({
      outcome: 'MISS',
      stored: false,
    });
    expect(await cache.answer(request(), always(response('2')))).toMatchObject({ outcome: 'MISS', stored: true });
  });

  it('refreshes a hot entry early, behind a hit', async () => {
    let random = 1;
    const { cache, clock } = setUp({ random: () => random });
    const early = request({ earlyRefreshBeta: 1 });
    await cache.answer(early, async () => {
      clock.advance(100); // how long the load takes
      return response('1');
    });
    clock.advance(900);
    expect(cache.peek('k', 1)).toMatchObject({ outcome: 'HIT' }); // a random of 1 never refreshes before the end
    expect((await cache.answer(early, never)).outcome).toBe('HIT');
    random = 0.2;
    expect(cache.peek('k', 1)).toBeUndefined();
    const upstream = new HeldUpstream();
    const { outcome, isRefreshing, entry } = await cache.answer(early, upstream.load);
    expect([outcome, isRefreshing, entry.body.toString()]).toEqual(['HIT', true, '1']);
    await upstream.answer(response('2'));
    random = 1;
    expect((await cache.answer(early, never)).entry.body.toString()).toBe('2');
  });

  it('fails a load that ignores its time-out', async () => {
    const clock = new ManualClock();
    const store = new MemoryStore({ maxBytes: 1_000_000, maxEntries: 10 }, clock);
    const loader = new Loader(store, clock, { leaseMs: 1_000, loadTimeoutMs: 5, pollMs: 5, maxEntryBytes: 1_000 });
    const cache = new ResponseCache(store, loader, clock, { deadlineMs: 5_000, staleAfterMs: 5_000 });
    await expect(cache.answer(request(), new HeldUpstream().load)).rejects.toMatchObject({ code: 'upstream-timeout' });
    expect((await cache.answer(request(), always(response('1')))).outcome).toBe('MISS');
  });
});
