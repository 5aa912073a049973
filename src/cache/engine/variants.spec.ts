import type { CacheEntry } from '../model/cache-entry';
import {
  always,
  HeldUpstream,
  never,
  request,
  response,
  setUp,
  text,
  type Response,
} from '../../../test/support/engine-cache';

/** An origin whose responses the Accept field always selects. */
const BY_ACCEPT = { selecting: ['accept'], isOriginNeutral: false };

describe('Responses that request fields select, and projections', () => {
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

  it('loads a variant once across replicas though its response is selected by more fields than the index named', async () => {
    const { cache, replica } = setUp(BY_ACCEPT);
    const [one, other] = [replica(), replica()];
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
    await origin.isAsked();
    const second = other.answer(asked, origin.load);
    await new Promise((resolve) => setImmediate(resolve));
    await origin.answer(response('user', { headers: [['vary', 'x']] }));
    expect([await first, await second].map(({ entry }) => text(entry))).toEqual(['user', 'user']);
    expect(origin.asked).toHaveLength(1);
  });

  it('is joined by later requests of its selection while another selection of the URL is stored', async () => {
    const { cache } = setUp(BY_ACCEPT);
    const slow = new HeldUpstream();
    const asked = request({}, { headers: [['accept', 'slow']] });
    const answers = [cache.answer(asked, slow.load)];
    await slow.isAsked();
    await cache.answer(request({}, { headers: [['accept', 'quick']] }), always(response('quick')));
    answers.push(cache.answer(asked, slow.load));
    await new Promise((resolve) => setImmediate(resolve));
    await slow.answer(response('slow'));
    expect((await Promise.all(answers)).map(({ entry }) => text(entry))).toEqual(['slow', 'slow']);
    expect(slow.asked).toHaveLength(1);
  });

  it('is not joined by a request that comes after a purge, even if an entry is stored in between', async () => {
    const { cache, invalidator } = setUp(BY_ACCEPT);
    const old = new HeldUpstream();
    const asked = request({}, { headers: [['accept', 'slow']] });
    const before = cache.answer(asked, old.load);
    await old.isAsked();
    await invalidator.invalidate({ kind: 'key', key: 'k' });
    await cache.answer(request({}, { headers: [['accept', 'quick']] }), always(response('quick')));
    expect(text((await cache.answer(asked, always(response('new')))).entry)).toBe('new');
    await old.answer(response('old'));
    expect(text((await before).entry)).toBe('old');
    expect(text((await cache.answer(asked, never)).entry)).toBe('new');
  });
});
