import { PassThrough } from 'node:stream';
import { AppError } from '../../kernel/app-error';
import { SystemClock } from '../../kernel/clock';
import { Flight } from './flights';
import { LoadAnswers } from './load-answers';
import type { Head } from './load-head';
import { HeldBytes, SharedBody } from './shared-body';
import type { Lookup } from './variants';
import { AbandonedLoad } from './loader';
import { always, down, HeldUpstream, never, request, response, setUp, text } from '../../../test/support/engine-cache';

describe('Requests that wait for a load', () => {
  it('read no further a body that breaks off before they have answered', async () => {
    const held = new HeldBytes(0);
    const source = new PassThrough();
    source.write('begin');
    const body = new SharedBody(source, { maxBytes: 1_000, held });
    const flight = new Flight('k', 1, 0);
    const arrived = { response: { status: 200, headers: [] }, policy: {}, body, stored: Promise.resolve(false) };
    flight.arrive({ kind: 'response', ...arrived } as unknown as Head);
    const waits = { deadlineMs: 60_000, staleAfterMs: 60_000, maxEntryBytes: 1_000 };
    const options = { ...waits, selecting: [], retainForRevalidationMs: 0 };
    const answers = new LoadAnswers(undefined as never, new SystemClock(), options);
    const lookup = { request: {}, seen: {}, directives: {} } as unknown as Lookup;
    const answer = answers.ofLoad(flight, lookup, false, false);
    while (body.received === 0) await new Promise(setImmediate);
    source.destroy(new Error('cut'));
    await expect(answer).rejects.toMatchObject({ code: 'upstream-invalid' });
    expect(held.isFull).toBe(false);
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

  it('shares a failed load with its waiters, stores nothing of it, and tries again', async () => {
    const { cache } = setUp();
    const upstream = new HeldUpstream();
    const settled = Promise.allSettled([1, 2, 3].map(() => cache.answer(request(), upstream.load)));
    await upstream.answer(down());
    expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(cache.http.loadsUnderWay).toBe(0);
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
    const swr = request({ staleWhileRevalidateMs: 5_000 });
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
    const { cache, clock, reports } = setUp();
    const swr = request({ staleWhileRevalidateMs: 60_000 });
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
    expect(reports.map(({ key, failure }) => [key, failure])).toEqual([
      ['k', 'upstream-unreachable'],
      ['k', undefined],
    ]);
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

  it.each(['no-cache', 'max-age=0', 'max-age=2, must-revalidate', 'must-revalidate'])(
    'serves nothing stale to a request that says %s, but with stale-if-error or by the option',
    async (directives) => {
      const saying = (value: string) => request({}, { headers: [['cache-control', value]] });
      for (const despite of [false, true]) {
        const { cache, clock } = setUp({ servesStaleDespiteDirectives: despite });
        await cache.answer(request(), always(response('1')));
        clock.advance(5_000);
        const failing = cache.answer(saying(directives), always(down()));
        if (despite) expect(await failing).toMatchObject({ outcome: 'STALE_ON_ERROR' });
        else await expect(failing).rejects.toThrow('down');
        const allowed = cache.answer(saying(`${directives}, stale-if-error=60`), always(down()));
        expect(await allowed).toMatchObject({ outcome: 'STALE_ON_ERROR' });
      }
    },
  );

  it.each(['max-age=60', 'max-age=0, max-stale=60', 'min-fresh=9'])(
    'serves stale to one that says %s',
    async (value) => {
      const { cache, clock } = setUp();
      await cache.answer(request(), always(response('1')));
      clock.advance(5_000);
      const headers = [['cache-control', value]] as const;
      const { outcome } = await cache.answer(request({}, { headers }), always(down()));
      expect(outcome).toMatch(/STALE/);
    },
  );

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

  it('makes no request wait longer than the deadline', async () => {
    const { cache } = setUp({ deadlineMs: 5 });
    const upstream = new HeldUpstream();
    await expect(cache.answer(request(), upstream.load)).rejects.toMatchObject({ code: 'deadline-exceeded' });
    await upstream.answer(response('late'));
    expect((await cache.answer(request(), never)).outcome).toBe('HIT');
  });

  it('does not store a load that an invalidation has overtaken, and answers its waiters', async () => {
    const { cache, invalidator } = setUp();
    const upstream = new HeldUpstream();
    const before = cache.answer(request(), upstream.load);
    await upstream.isAsked();
    await invalidator.invalidate({ kind: 'tag', tag: 'account:k' });
    await upstream.answer(response('old'));
    expect(await before).toMatchObject({ outcome: 'MISS', stored: false });
    const after = await cache.answer(request(), always(response('new')));
    expect([after.outcome, after.entry.body.toString()]).toEqual(['MISS', 'new']);
  });

  it('lets no request join a load that an invalidation has overtaken', async () => {
    const { cache, invalidator } = setUp();
    const old = new HeldUpstream();
    const before = cache.answer(request(), old.load);
    await old.isAsked();
    await invalidator.invalidate({ kind: 'key', key: 'k' });
    const after = cache.answer(request(), always(response('new')));
    expect((await after).entry.body.toString()).toBe('new');
    await old.answer(response('old'));
    expect((await before).entry.body.toString()).toBe('old');
    expect((await cache.answer(request(), never)).entry.body.toString()).toBe('new');
  });

  it.each(['no-cache', 'max-age=0'])('answers a request with %s by no load that began before it', async (directive) => {
    const { cache, clock } = setUp();
    const upstream = new HeldUpstream();
    const validated = request({}, { headers: [['cache-control', directive]] });
    const before = cache.answer(request(), upstream.load);
    await upstream.isAsked();
    const after = Array.from({ length: 100 }, () =>
      cache.answer({ ...validated, signal: new AbortController().signal }, upstream.load),
    );
    clock.advance(1);
    await upstream.answer(response('old'));
    expect(text((await before).entry)).toBe('old');
    await upstream.answer(response('new'));
    expect(new Set((await Promise.all(after)).map(({ entry }) => text(entry)))).toEqual(new Set(['new']));
    expect(upstream.asked).toHaveLength(2);
  });

  it('shares a response that must not be stored with its waiters only where it is the same for them', async () => {
    const { cache } = setUp();
    for (const [isForWaiting, loads] of [
      [true, 1],
      [false, 3],
    ] as const) {
      const origin = new HeldUpstream();
      const answers = [1, 2, 3].map(() => cache.answer(request(), origin.load));
      for (let load = 0; load < loads; load++)
        await origin.answer(response('gone', { status: 404, isUncacheable: true, isForWaiting }));
      await Promise.all(answers);
      expect(origin.asked).toHaveLength(loads);
    }
  });

  it('makes the waiters load for themselves when the client of the load disconnected', async () => {
    const { cache } = setUp();
    const origin = new HeldUpstream();
    const [leader, waiting] = [cache.answer(request(), origin.load), cache.answer(request(), origin.load)];
    const failed = expect(leader).rejects.toThrow('disconnected');
    await origin.answer(new AbandonedLoad());
    await failed;
    await origin.answer(response('1'));
    expect(text((await waiting).entry)).toBe('1');
  });
});
