import type { OutgoingHttpHeaders } from 'node:http';
import type { OriginScript } from '../support/scripted-origin';
import { waitUntil } from '../support/wait-until';
import { Hostilities, newPath } from './hostile';

type Fields = Record<string, string>;

/** Stale on arrival, so that no test has to wait. */
const STALE: Fields = { 'cache-control': 'public, max-age=100', age: '150', etag: '"v1"' };
const ANY_AGE = { 'cache-control': 'max-stale' };

describe('what the API says when it is asked whether a stored answer still holds', () => {
  let attacked: Hostilities;
  let path: string;

  beforeAll(async () => {
    attacked = await Hostilities.start('', { UPSTREAM_BREAKER_FAILURES: '1000' });
  });
  beforeEach(() => {
    path = newPath();
  });
  afterAll(async () => {
    await attacked.stop();
  });

  const get = async (headers: OutgoingHttpHeaders = {}, method = 'GET') => {
    const { status, headers: fields, body } = await attacked.through(path, { method, headers });
    return { status, cache: fields['x-cache'], fields, body: body.toString() };
  };
  const answerWith = (status: number, headers: Fields = {}, body = `status ${status}`): void =>
    attacked.origin.answerBy((response) => response.writeHead(status, headers).end(status === 304 ? undefined : body));
  /** Stores `old`, which is stale, for a caller. */
  const prime = async (headers: OutgoingHttpHeaders = {}, fields: Fields = STALE): Promise<void> => {
    answerWith(200, fields, 'old');
    expect((await get(headers)).body).toBe('old');
  };
  /** Neither for those who take it stale nor in the place of a failure, and nothing to validate any more. */
  const expectGone = async (headers: OutgoingHttpHeaders = {}): Promise<void> => {
    answerWith(503);
    expect((await get({ ...headers, ...ANY_AGE })).status).toBe(503);
    expect((await get(headers)).status).toBe(503);
    answerWith(200, { 'cache-control': 'no-store' }, 'new');
    expect((await get(headers)).body).toBe('new');
    expect(attacked.origin.hits.at(-1)!.headers['if-none-match']).toBeUndefined();
  };
  const expectKept = async (headers: OutgoingHttpHeaders = {}): Promise<void> => {
    answerWith(503);
    expect(await get({ ...headers, ...ANY_AGE })).toMatchObject({ status: 200, body: 'old' });
    expect(attacked.origin.hits).toHaveLength(0);
  };

  it('decides how long it is fresh again', async () => {
    await prime();
    answerWith(304, { 'cache-control': 'public, max-age=100', etag: '"v1"' });
    expect(await get()).toMatchObject({ status: 200, body: 'old' });
    expect(await get()).toMatchObject({ status: 200, cache: 'HIT', body: 'old' });
    expect(attacked.origin.hits).toHaveLength(1);
  });

  it.each<[string, Fields]>([
    ['no-store', { 'cache-control': 'no-store' }],
    [
      'no-store with an old Last-Modified',
      { 'cache-control': 'no-store', 'last-modified': 'Wed, 01 Jan 2020 00:00:00 GMT' },
    ],
    ['no-store with a lifetime', { 'cache-control': 'no-store, max-age=100' }],
    ['private', { 'cache-control': 'private, max-age=100' }],
    ['Vary: *', { 'cache-control': 'max-age=100', vary: '*' }],
    ['Vary by another field', { 'cache-control': 'max-age=100', vary: 'x-tenant' }],
  ])('is kept for whoever asked, and removed: 304 with %s', async (_what, fields) => {
    await prime({}, { ...STALE, 'last-modified': 'Wed, 01 Jan 2020 00:00:00 GMT' });
    answerWith(304, { etag: '"v1"', ...fields });
    expect(await get()).toMatchObject({ status: 200, body: 'old' });
    await expectGone();
  });

  it('is not sent to a request that only waited for a 304 with no-store', async () => {
    await prime();
    let release = (): void => undefined;
    attacked.origin.answerBy((response, { headers }) => {
      const answer = (): void => {
        if (headers['if-none-match'] === undefined) response.writeHead(200, { 'cache-control': 'no-store' }).end('own');
        else response.writeHead(304, { etag: '"v1"', 'cache-control': 'no-store' }).end();
      };
      if (attacked.origin.hits.length === 1) release = answer;
      else answer();
    });
    const first = get();
    await waitUntil(() => attacked.origin.hits.length === 1, { what: 'the validation' });
    const others = Promise.all([get(), get()]);
    await get({ 'cache-control': 'only-if-cached' }); // by now those have come
    release();
    expect((await first).body).toBe('old');
    for (const { body } of await others) expect(body).toBe('own');
  });

  it('keeps a caller’s own answer after 304 with private', async () => {
    const own = { authorization: 'Bearer ghp_attacker_own' };
    await prime(own, { ...STALE, 'cache-control': 'private, max-age=100' });
    answerWith(304, { 'cache-control': 'private, max-age=100', etag: '"v1"' });
    await get(own);
    expect(await get(own)).toMatchObject({ cache: 'HIT', body: 'old' });
  });

  it('asks each time after 304 with no-cache', async () => {
    await prime();
    answerWith(304, { 'cache-control': 'no-cache, max-age=100', etag: '"v1"' });
    for (const headers of [{}, {}, ANY_AGE]) expect((await get(headers)).body).toBe('old');
    expect(attacked.origin.hits.map((hit) => hit.headers['if-none-match'])).toEqual(['"v1"', '"v1"', '"v1"']);
  });

  it('leaves out a stored field that a 304 takes back', async () => {
    await prime({}, { ...STALE, 'x-mine': '1' });
    answerWith(304, { 'cache-control': 'max-age=100, private="x-mine"', etag: '"v1"' });
    for (let times = 0; times < 2; times++) expect((await get()).fields['x-mine']).toBeUndefined();
  });

  it.each([401, 403, 404, 410, 451])('withdraws every variant by %i', async (status) => {
    const other = { accept: 'text/other' };
    await prime(other);
    await prime();
    answerWith(status);
    expect((await get()).status).toBe(status);
    await expectGone(other);
  });

  it.each([401, 404])(
    'withdraws a fresh variant too, by %i to another one that nothing is stored of',
    async (status) => {
      const other = { accept: 'text/other' };
      await prime({}, { ...STALE, age: '0' });
      answerWith(status);
      expect((await get(other)).status).toBe(status);
      expect((await get()).status).toBe(status);
    },
  );

  it('remembers a 404 for all later requests, until its lifetime ends', async () => {
    await prime();
    answerWith(404);
    for (let times = 0; times < 3; times++) expect((await get()).status).toBe(404);
    expect(attacked.origin.hits).toHaveLength(1);
    answerWith(404);
    for (const accept of ['text/a', 'text/b', 'text/a', 'text/b']) expect((await get({ accept })).status).toBe(404);
    expect(attacked.origin.hits).toHaveLength(2);
  });

  describe('where one variant said so before access was given', () => {
    const FRESH: Fields = { ...STALE, age: '0' };
    const [a, b, c] = [{ accept: 'text/a' }, { accept: 'text/b' }, { accept: 'text/c' }];

    it.each<[number, number, typeof a]>([
      [404, 404, a],
      [404, 403, a],
      [410, 410, a],
      [451, 404, a],
      [404, 404, c],
      [422, 404, a],
    ])('withdraws the fresh others too: first %i, later %i to %j', async (first, later, asking) => {
      answerWith(first, STALE);
      expect((await get(a)).status).toBe(first);
      await prime(b, { ...FRESH, 'cache-control': 'public, max-age=600' });
      answerWith(later, STALE);
      expect((await get(asking)).status).toBe(later);
      expect((await get(b)).status).toBe(later);
    });

    it('withdraws what lives no longer than the answer that said so', async () => {
      answerWith(404, { 'cache-control': 'public, max-age=600' });
      expect((await get(a)).status).toBe(404);
      await prime(b, FRESH);
      answerWith(410, STALE);
      expect((await get(c)).status).toBe(410);
      expect((await get(b)).status).toBe(410);
    });

    it('keeps the answers of a missing resource that say the same, when one of them is asked again', async () => {
      answerWith(404, STALE);
      expect((await get(a)).status).toBe(404);
      answerWith(404, FRESH);
      expect((await get(b)).status).toBe(404);
      for (let times = 0; times < 3; times++) {
        answerWith(404, STALE);
        expect((await get(a)).status).toBe(404);
        expect(attacked.origin.hits).toHaveLength(1);
        expect(await get(b)).toMatchObject({ status: 404, cache: 'HIT' });
      }
    });
  });

  it('withdraws what was one caller’s from that caller alone', async () => {
    const [a, b] = [{ authorization: 'Bearer ghp_attacker_a' }, { authorization: 'Bearer ghp_attacker_b' }];
    const mine = { ...STALE, 'cache-control': 'private, max-age=100' };
    for (const caller of [a, b]) await prime(caller, mine);
    answerWith(401);
    expect((await get(a)).status).toBe(401);
    await expectKept(b);
    await expectGone(a);
  });

  it.each<[number, Fields]>([
    [200, { 'cache-control': 'no-store' }],
    [200, { 'cache-control': 'private' }],
    [302, { location: '/there' }],
    [400, {}],
    [422, {}],
  ])('is replaced by %i %j, which is not stored', async (status, fields) => {
    await prime();
    answerWith(status, fields);
    expect((await get()).status).toBe(status);
    await expectGone();
  });

  it('is replaced by an answer that is too large to store', async () => {
    await prime();
    answerWith(200, { 'cache-control': 'max-age=100' }, 'x'.repeat(1_500_000));
    expect((await get()).body).toHaveLength(1_500_000);
    await expectGone();
  });

  it.each([500, 502, 503, 504, 599, 202, 408, 425, 429])('stays after %i, which says nothing of it', async (status) => {
    const own = { authorization: `Bearer ghp_attacker_${status}` }; // whose limit a 429 is about
    await prime(own);
    answerWith(status);
    await get(own);
    await expectKept(own);
  });

  it.each(['401 to a refresh behind a stale hit', 'no-store likewise'])(
    'holds for a background refresh: %s',
    async (what) => {
      const fields = { ...STALE, 'cache-control': 'public, max-age=100, stale-while-revalidate=10000' };
      await prime({}, fields);
      if (what.startsWith('401')) answerWith(401);
      else answerWith(304, { 'cache-control': 'no-store', etag: '"v1"' });
      expect(await get()).toMatchObject({ status: 200, body: 'old' });
      await waitUntil(async () => (await get({ 'cache-control': 'only-if-cached, max-stale' })).status === 504, {
        what: 'the old answer to go',
      });
      await expectGone();
    },
  );

  it.each<[string, number, Fields]>([
    ['404', 404, {}],
    ['401', 401, {}],
    ['no-store', 200, { 'cache-control': 'no-store', etag: '"v1"' }],
  ])('holds for a HEAD: %s', async (_what, status, fields) => {
    await prime();
    answerWith(status, fields);
    expect((await get({}, 'HEAD')).status).toBe(status);
    await expectGone();
  });

  it('holds where a range or no-store goes past the store', async () => {
    for (const headers of [{ range: 'bytes=0-1' }, { 'cache-control': 'no-store' }]) {
      path = newPath();
      await prime();
      answerWith(404);
      expect((await get(headers)).status).toBe(404);
      await expectGone();
    }
  });

  const RANGE = { range: 'bytes=0-1' };
  const PAST = { 'cache-control': 'no-store' };
  const LENGTH = { 'content-range': 'bytes 0-1/3' };

  describe.each<[string, string, OutgoingHttpHeaders]>([
    ['a GET', 'GET', {}],
    ['a range', 'GET', RANGE],
    ['no-store', 'GET', PAST],
    ['a HEAD', 'HEAD', {}],
  ])('asked by %s', (_way, method, headers) => {
    it.each<[number, Fields]>([
      [200, { 'cache-control': 'no-store' }],
      [200, { 'cache-control': 'private' }],
      [301, { location: '/there' }],
      [302, { location: '/there' }],
      [307, { location: '/there', 'cache-control': 'no-store' }],
      [400, {}],
    ])('replaces what is stored: %i %j', async (status, fields) => {
      await prime();
      answerWith(status, { ...fields, age: '150' });
      expect((await get(headers, method)).status).toBe(status);
      answerWith(503);
      const next = await get(ANY_AGE);
      expect(next.body).not.toBe('old');
    });

    it.each([503, 429, 408])('leaves what is stored: %i', async (status) => {
      const own = { authorization: `Bearer ghp_attacker_way_${newPath().slice(1)}` };
      await prime(own);
      answerWith(status);
      await get({ ...own, ...headers }, method);
      await expectKept(own);
    });
  });

  it.each<[string, OutgoingHttpHeaders, number, Fields]>([
    ['GET', RANGE, 206, { ...STALE, ...LENGTH }],
    ['GET', RANGE, 200, STALE],
    ['GET', RANGE, 416, { 'content-range': 'bytes */3' }],
    ['GET', PAST, 200, STALE],
    ['GET', { ...PAST, 'if-none-match': '"v1"' }, 304, { etag: '"v1"' }],
    ['GET', { ...PAST, 'if-match': '"v0"' }, 412, {}],
    ['HEAD', {}, 200, STALE],
    ['HEAD', {}, 405, { allow: 'GET' }],
    ['HEAD', {}, 501, {}],
  ])(
    'leaves what is stored where the answer says nothing else of it: %s %j, %i',
    async (method, asking, status, fields) => {
      await prime();
      answerWith(status, fields);
      await get(asking, method);
      await expectKept();
    },
  );

  it('is replaced by a part that may not be stored', async () => {
    await prime();
    answerWith(206, { 'cache-control': 'no-store', ...LENGTH }, 'ne');
    expect((await get(RANGE)).status).toBe(206);
    await expectGone();
  });

  it('asks for the whole where a 304 is of another entity tag, and that decides', async () => {
    await prime();
    const script: OriginScript = (response, { headers }) => {
      if (headers['if-none-match'] === undefined) response.writeHead(404).end();
      else response.writeHead(304, { etag: '"v2"', 'cache-control': 'max-age=100' }).end();
    };
    attacked.origin.answerBy(script);
    expect((await get()).status).toBe(404);
    answerWith(503);
    expect((await get({ accept: 'text/new', ...ANY_AGE })).status).toBe(503);
  });
});
