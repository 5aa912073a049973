import { AppError } from '../../kernel/app-error';
import { ManualClock } from '../../kernel/clock';
import { CacheInvalidator } from './cache-invalidator';
import type { CacheEntry } from '../model/cache-entry';
import { AbandonedLoad, Loader } from './loader';
import { MemoryStore } from '../store/memory/memory-store';
import type { RefreshReport } from './load-failure';
import type { CachePolicy } from '../law/cache-policy';
import type { HttpCacheRequest, Origin, OriginRequest, OriginResponse, StoredAnswer } from '../model/exchange';
import { HttpCache } from './http-cache';

const policy: CachePolicy = { ttlMs: 1_000, negativeTtlMs: 100, defaultStaleIfErrorMs: 10_000, isExplicit: true };

/** A response of a handler, whose times are those of its request. */
type Response = Omit<OriginResponse, 'requestedAt' | 'receivedAt'>;
type Load = (request: OriginRequest) => Promise<Response>;

/** The engine as routes use it: no field selects by itself, the origin gives whole responses. */
class Cache {
  constructor(
    readonly http: HttpCache,
    private readonly clock: ManualClock,
  ) {}

  async answer(request: HttpCacheRequest, load: Load): Promise<StoredAnswer> {
    const origin: Origin = async (asked) => {
      const requestedAt = this.clock.now();
      const response = await load(asked);
      return { ...response, requestedAt, receivedAt: this.clock.now() };
    };
    const answer = await this.http.exchange(request, origin);
    if (answer.kind !== 'stored') throw new Error('a whole response is an entry');
    return answer;
  }
}

function setUp(
  options: {
    servesStaleDespiteDirectives?: boolean;
    deadlineMs?: number;
    staleAfterMs?: number;
    random?: () => number;
    maxEntryBytes?: number;
  } = {},
) {
  const clock = new ManualClock(1_000_000);
  const store = new MemoryStore({ maxBytes: 10_000_000, maxEntries: 1_000 }, clock);
  const loader = new Loader(store, clock, { leaseMs: 60_000, loadTimeoutMs: 60_000, pollMs: 5 });
  const reports: RefreshReport[] = [];
  const http = new HttpCache(store, loader, clock, {
    ...{
      deadlineMs: 5_000,
      staleAfterMs: 5_000,
      random: () => 0,
      maxEntryBytes: 1_000,
      retainForRevalidationMs: 0,
      selecting: [],
    },
    ...{ isOriginNeutral: true, onRefreshed: (report: RefreshReport) => reports.push(report) },
    ...options,
  });
  return { clock, store, reports, invalidator: new CacheInvalidator(store), cache: new Cache(http, clock) };
}

const request = (more: Partial<CachePolicy> = {}, fields: Partial<HttpCacheRequest> = {}): HttpCacheRequest => ({
  ...{ key: 'k', upstream: 'github', method: 'GET', kind: 'shared', hasAuthorization: false, tags: ['account:k'] },
  ...{ headers: [], policy: { ...policy, ...more }, signal: new AbortController().signal },
  ...fields,
});

function response(body: string, more: Partial<Response> = {}): Response {
  return { status: 200, headers: [], body: Buffer.from(body), validators: { etag: '"u"' }, etag: '"c"', ...more };
}

const notModified = (headers: Response['headers'] = []): Response => ({ status: 304, headers, body: Buffer.alloc(0) });
const text = ({ body }: CacheEntry): string => body.toString();

/** An upstream whose answers wait until the test lets them go. */
class HeldUpstream {
  readonly asked: OriginRequest[] = [];
  private readonly answers: { resolve: (loaded: Response) => void; reject: (error: Error) => void }[] = [];

  readonly load: Load = (context) => {
    this.asked.push(context);
    return new Promise((resolve, reject) => this.answers.push({ resolve, reject }));
  };

  async answer(loaded: Response | Error): Promise<void> {
    while (this.answers.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const waiting = this.answers.shift();
    if (loaded instanceof Error) waiting?.reject(loaded);
    else waiting?.resolve(loaded);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const down = () => new AppError('upstream-unreachable', 'down');
const always =
  (loaded: Response | Error): Load =>
  () =>
    loaded instanceof Error ? Promise.reject(loaded) : Promise.resolve(loaded);
const never: Load = () => {
  throw new Error('the upstream must not be asked');
};

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
    while (upstream.asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
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
    while (old.asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
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
    while (upstream.asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
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

  it('stores a response that no field selects under the key of its URL, and one that varies behind an index', async () => {
    const { cache, store } = setUp();
    await cache.answer(request(), always(response('plain')));
    expect(store.peek('k')?.entry.body.toString()).toBe('plain');
    const german = { headers: [['accept-language', 'de']] } as const;
    const vary: Partial<Response> = { headers: [['vary', 'Accept-Language']] };
    await cache.answer(request({}, { key: 'v', ...german }), always(response('hallo', vary)));
    const english = request({}, { key: 'v', headers: [['accept-language', 'en']] });
    expect(await cache.answer(english, always(response('hello', vary)))).toMatchObject({
      outcome: 'MISS',
      forwarded: 'vary-miss',
    });
    expect(text((await cache.answer(english, never)).entry)).toBe('hello');
    expect(text((await cache.answer(request({}, { key: 'v', ...german }), never)).entry)).toBe('hallo');
    expect(cache.http.peek(english)?.entry.body.toString()).toBe('hello');
  });

  it('gives requests that waited for one variant their own', async () => {
    const { cache } = setUp();
    const origin = new HeldUpstream();
    const ask = (language: string) =>
      cache.answer(request({}, { headers: [['accept-language', language]] }), origin.load);
    const answers = [ask('de'), ask('en'), ask('en'), ask('de')];
    await origin.answer(response('hallo', { headers: [['vary', 'accept-language']] }));
    await origin.answer(response('hello', { headers: [['vary', 'accept-language']] }));
    expect((await Promise.all(answers)).map(({ entry }) => text(entry))).toEqual(['hallo', 'hello', 'hello', 'hallo']);
    expect(origin.asked).toHaveLength(2);
  });

  it('replaces a response that did not vary by one that does, and the other way round', async () => {
    const { cache, clock } = setUp();
    const inGerman = request({}, { headers: [['accept-language', 'de']] });
    const inEnglish = request({}, { headers: [['accept-language', 'en']] });
    await cache.answer(inGerman, always(response('for all')));
    clock.advance(1_001);
    await cache.answer(inGerman, always(response('hallo', { headers: [['vary', 'accept-language']] })));
    expect(
      text(
        (await cache.answer(inEnglish, always(response('hello', { headers: [['vary', 'accept-language']] })))).entry,
      ),
    ).toBe('hello');
    clock.advance(1_001);
    await cache.answer(inEnglish, always(response('for all again')));
    expect(text((await cache.answer(inGerman, never)).entry)).toBe('for all again');
  });

  it('keeps a projection beside its resource: a purge of the resource removes it', async () => {
    const { cache, invalidator } = setUp();
    const count = request({}, { projection: 'count' });
    expect((await cache.answer(count, always(response('5')))).outcome).toBe('MISS');
    expect((await cache.answer(count, never)).outcome).toBe('HIT');
    await invalidator.invalidate({ kind: 'key', key: 'k' });
    expect((await cache.answer(count, always(response('6')))).outcome).toBe('MISS');
    await invalidator.invalidate({ kind: 'tag', tag: 'account:k' }, 'stale');
    expect(text((await cache.answer(count, always(response('7')))).entry)).toBe('7');
    expect(text((await cache.answer(count, never)).entry)).toBe('7');
  });

  it('keeps a projection that request fields select for its own request, also from those that wait for it', async () => {
    const { cache } = setUp();
    const vary: Partial<Response> = { headers: [['vary', 'accept-language']] };
    const countIn = (language: string) =>
      request({}, { projection: 'count', headers: [['accept-language', language]] });
    const origin = new HeldUpstream();
    const waiting = ['de', 'en'].map((language) => cache.answer(countIn(language), origin.load));
    await origin.answer(response('eins', vary));
    await origin.answer(response('one', vary));
    expect((await Promise.all(waiting)).map(({ entry }) => text(entry)).sort()).toEqual(['eins', 'one']);
    expect(text((await cache.answer(countIn('fr'), always(response('un', vary)))).entry)).toBe('un');
  });

  it('is a hit of the tier whose response a projection was derived from', async () => {
    const { cache, clock } = setUp();
    const derivedFrom = { entry: { storedAt: clock.now() - 600 } as CacheEntry, tier: 'l2' as const };
    const count = request({}, { projection: 'count' });
    expect(await cache.answer(count, always(response('5', { derivedFrom })))).toMatchObject({
      outcome: 'HIT',
      tier: 'l2',
    });
    clock.advance(399);
    expect((await cache.answer(count, never)).outcome).toBe('HIT');
    clock.advance(1);
    expect((await cache.answer(count, always(response('6')))).outcome).toBe('MISS');
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

  it('loads a variant once across replicas though its response is selected by more fields than the index named', async () => {
    const { cache, store, clock } = setUp();
    const loader = new Loader(store, clock, { leaseMs: 60_000, loadTimeoutMs: 60_000, pollMs: 5 });
    const options = {
      deadlineMs: 5_000,
      staleAfterMs: 5_000,
      maxEntryBytes: 1_000,
      retainForRevalidationMs: 0,
      selecting: ['accept'],
    };
    const [one, other] = [1, 2].map(() => new Cache(new HttpCache(store, loader, clock, options), clock)) as [
      Cache,
      Cache,
    ];
    await cache.answer(request({}, { projection: 'count' }), always(response('5')));
    const origin = new HeldUpstream();
    const asked = request(
      {},
      {
        headers: [
          ['accept', 'a'],
          ['x', '1'],
        ],
      },
    );
    const first = one.answer(asked, origin.load);
    while (origin.asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const second = other.answer(asked, origin.load);
    await new Promise((resolve) => setImmediate(resolve));
    await origin.answer(response('user', { headers: [['vary', 'x']] }));
    expect([await first, await second].map(({ entry }) => text(entry))).toEqual(['user', 'user']);
    expect(origin.asked).toHaveLength(1);
  });

  it('is joined by later requests of its selection while another selection of the URL is stored', async () => {
    const { store, clock } = setUp();
    const loader = new Loader(store, clock, { leaseMs: 60_000, loadTimeoutMs: 60_000, pollMs: 5 });
    const options = {
      deadlineMs: 5_000,
      staleAfterMs: 5_000,
      maxEntryBytes: 1_000,
      retainForRevalidationMs: 0,
      selecting: ['accept'],
    };
    const cache = new Cache(new HttpCache(store, loader, clock, options), clock);
    const slow = new HeldUpstream();
    const asked = request({}, { headers: [['accept', 'slow']] });
    const answers = [cache.answer(asked, slow.load)];
    while (slow.asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await cache.answer(request({}, { headers: [['accept', 'quick']] }), always(response('quick')));
    answers.push(cache.answer(asked, slow.load));
    await new Promise((resolve) => setImmediate(resolve));
    await slow.answer(response('slow'));
    expect((await Promise.all(answers)).map(({ entry }) => text(entry))).toEqual(['slow', 'slow']);
    expect(slow.asked).toHaveLength(1);
  });

  it('is not joined by a request that comes after a purge, even if an entry is stored in between', async () => {
    const { store, clock, invalidator } = setUp();
    const loader = new Loader(store, clock, { leaseMs: 60_000, loadTimeoutMs: 60_000, pollMs: 5 });
    const options = {
      deadlineMs: 5_000,
      staleAfterMs: 5_000,
      maxEntryBytes: 1_000,
      retainForRevalidationMs: 0,
      selecting: ['accept'],
    };
    const cache = new Cache(new HttpCache(store, loader, clock, options), clock);
    const old = new HeldUpstream();
    const asked = request({}, { headers: [['accept', 'slow']] });
    const before = cache.answer(asked, old.load);
    while (old.asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await invalidator.invalidate({ kind: 'key', key: 'k' });
    await cache.answer(request({}, { headers: [['accept', 'quick']] }), always(response('quick')));
    expect(text((await cache.answer(asked, always(response('new')))).entry)).toBe('new');
    await old.answer(response('old'));
    expect(text((await before).entry)).toBe('old');
    expect(text((await cache.answer(asked, never)).entry)).toBe('new');
  });
});
