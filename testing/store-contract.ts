/// <reference types="jest" />
import { randomBytes } from 'node:crypto';
import type { CacheEntry } from '../src/cache/model/cache-entry';
import { toCacheKey } from '../src/cache/model/cache-key';
import type { CacheStore, InvalidationTarget, Lease, LeaseRequest } from '../src/cache/store/cache-store';

/** A store to put to the test; a fresh one, empty, for each fact. */
export interface StoreUnderTest {
  readonly store: CacheStore;
  readonly close: () => Promise<void>;
}

/** What a store may be unable to do (docs/guides/bring-your-own-store.md); all else is required. */
export interface StoreAbilities {
  /** False: a soft purge removes. */
  readonly keepsSoftPurged?: boolean;
  /** False: a purge by a prefix removes more than what begins so. */
  readonly findsPrefixes?: boolean;
}

/** An entry as a load would make it. */
export function anEntry(fields: Partial<CacheEntry> = {}): CacheEntry {
  const now = Date.now();
  return {
    id: randomBytes(9).toString('base64url'),
    status: 200,
    headers: [['content-type', 'application/json']],
    validators: { etag: '"u1"' },
    upstream: 'github',
    tags: ['upstream:github'],
    storedAt: now,
    freshUntil: now + 60_000,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: 60_000,
    mustRevalidate: false,
    loadDurationMs: 5,
    etag: '"c1"',
    coding: 'identity',
    body: Buffer.from('{"a":1}'),
    ...fields,
  };
}

export function asking(key: string, more: Partial<LeaseRequest> = {}): LeaseRequest {
  return { key, token: randomBytes(8).toString('hex'), tags: [], seenId: '', leaseMs: 5_000, ...more };
}

/** @throws Error if the lease is not granted */
export async function leaseOf(store: CacheStore, key: string, more: Partial<LeaseRequest> = {}): Promise<Lease> {
  const answer = await store.acquire(asking(key, more));
  if (answer.kind !== 'granted') throw new Error(`The lease of ${key} was not granted: ${answer.kind}`);
  return answer.lease;
}

/** @throws Error if there is an entry, or the lease is not granted: in the same step, or in a second one */
async function leaseOfMiss(store: CacheStore, request: LeaseRequest): Promise<Lease> {
  const answer = await store.findOrAcquire(request);
  if (answer.found) throw new Error(`${request.key} is stored`);
  const lease = answer.lease ?? (await store.acquire(request));
  if (lease.kind !== 'granted') throw new Error(`The lease of ${request.key} was not granted: ${lease.kind}`);
  return lease.lease;
}

export async function fillUnder(
  store: CacheStore,
  key: string,
  entry: CacheEntry,
  more: Partial<LeaseRequest> = {},
): Promise<void> {
  if (!(await store.fill(await leaseOf(store, key, more), entry))) throw new Error(`${key} was not stored`);
}

/** In dozens: a store behind a network has a deadline for each command, and how many it takes at once is not the question. */
async function fillAll(store: CacheStore, keys: readonly string[], fields: Partial<CacheEntry> = {}): Promise<void> {
  for (let at = 0; at < keys.length; at += 50) {
    await Promise.all(keys.slice(at, at + 50).map((key) => fillUnder(store, key, anEntry(fields))));
  }
}

/** A store's own expiry runs on real time. */
function elapsed(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * What every `CacheStore` keeps to; for the stores of this project, and for those that another team writes. Run it inside
 * a Jest spec.
 */
export function describeStore(
  name: string,
  open: () => Promise<StoreUnderTest>,
  { keepsSoftPurged = true, findsPrefixes = true }: StoreAbilities = {},
): void {
  /** For targets that some stores cover with more than what is meant. */
  const reaches = (target: InvalidationTarget): boolean =>
    findsPrefixes || target.kind !== 'prefix' || target.prefix === '';
  const itIfSoft = keepsSoftPurged ? it : it.skip;
  const itIfPrefix = findsPrefixes ? it : it.skip;
  describe(`${name} keeps the contract of a store:`, () => {
    let under: StoreUnderTest;
    let store: CacheStore;

    beforeEach(async () => {
      under = await open();
      ({ store } = under);
    });

    afterEach(() => under.close());

    describe('names', () => {
      it('are claimed by one, until their time is over', async () => {
        expect(await store.shared.isClaimed('a')).toBe(false);
        expect(await store.shared.claim('a', 60_000)).toBe(true);
        expect(await Promise.all([store.shared.claim('a', 60_000), store.shared.claim('b', 20)])).toEqual([
          false,
          true,
        ]);
        await elapsed(80);
        expect(await Promise.all([store.shared.isClaimed('a'), store.shared.isClaimed('b')])).toEqual([true, false]);
        expect(await Promise.all([store.shared.claim('a', 60_000), store.shared.claim('b', 60_000)])).toEqual([
          false,
          true,
        ]);
      });
    });

    describe('names that are renewed', () => {
      it('are taken for as long as the last claim says, whoever had them', async () => {
        expect(await store.shared.claim('r', 20)).toBe(true);
        expect(await store.shared.claim('r', 60_000, 'renew')).toBe(true);
        await elapsed(80);
        expect(await store.shared.isClaimed('r')).toBe(true);
      });
    });

    describe('notes', () => {
      it('are what was left last under a name, until their time is over', async () => {
        expect(await store.shared.read('g', 'a')).toBeUndefined();
        await store.shared.compareAndSet('g', 'a', undefined, 'first', 60_000);
        await store.shared.compareAndSet('g', 'a', 'first', 'second: {"é":1}', 60_000);
        await Promise.all([
          store.shared.compareAndSet('g', 'b', undefined, '', 60_000),
          store.shared.compareAndSet('g', 'short', undefined, 'x', 1),
        ]);
        await store.shared.compareAndSet('another', 'a', undefined, 'x', 60_000);
        await elapsed(20);
        expect(await store.shared.read('g', 'a')).toBe('second: {"é":1}');
        expect(await store.shared.read('g', 'short')).toBeUndefined();
        expect([...(await store.shared.readAll('g'))].sort()).toEqual([
          ['a', 'second: {"é":1}'],
          ['b', ''],
        ]);
        expect(await store.shared.readAll('none')).toEqual([]);
        expect(await store.shared.compareAndSet('g', 'short', 'x', 'y', 60_000)).toEqual({ kind: 'conflict' });
        expect(await store.shared.compareAndSet('g', 'short', undefined, 'y', 60_000)).toEqual({ kind: 'stored' });
      });

      it('are left only over what was seen there', async () => {
        const many = Array.from({ length: 20 }, (_, at) =>
          store.shared.compareAndSet('g', 'a', undefined, `${at}: x`, 60_000),
        );
        const answers = await Promise.all(many);
        const winner = answers.findIndex(({ kind }) => kind === 'stored');
        const text = `${winner}: x`;
        for (const [at, answer] of answers.entries())
          expect(answer).toEqual(at === winner ? { kind: 'stored' } : { kind: 'conflict', text });
        expect(await store.shared.read('g', 'a')).toBe(text);
        expect(await store.shared.compareAndSet('g', 'a', '', 'z', 60_000)).toEqual({ kind: 'conflict', text });
        expect(await store.shared.compareAndSet('g', 'a', text, '', 60_000)).toEqual({ kind: 'stored' });
        expect(await store.shared.compareAndSet('g', 'a', undefined, 'z', 60_000)).toEqual({
          kind: 'conflict',
          text: '',
        });
      });

      it('stay when everything is invalidated', async () => {
        await store.shared.compareAndSet('g', 'a', undefined, 'kept', 60_000);
        await store.invalidate({ kind: 'prefix', prefix: '' }, 'purge');
        expect(await store.shared.read('g', 'a')).toBe('kept');
      });
    });

    describe('entries', () => {
      it('finds nothing where nothing is', async () => {
        expect(await store.find('k')).toBeUndefined();
      });

      it('fills an entry together with what it leads to', async () => {
        const [index, part] = [anEntry({ body: Buffer.from('index') }), anEntry({ body: Buffer.from('part') })];
        const lease = await leaseOf(store, 'k');
        expect(await store.fill(lease, index, { linked: { key: 'k|part', entry: part } })).toBe(true);
        expect((await store.find('k'))?.entry.body.toString()).toBe('index');
        expect((await store.find('k|part'))?.entry.body.toString()).toBe('part');
      });

      it('gives back what was filled, bytes and all', async () => {
        const entry = anEntry({ body: randomBytes(100_000), tags: ['a', 'b'], hitFlagName: 'cached' });
        await fillUnder(store, 'k', entry);
        const found = await store.find('k');
        expect(found?.entry).toEqual(entry);
      });

      it('keeps an empty body', async () => {
        await fillUnder(store, 'k', anEntry({ body: Buffer.alloc(0) }));
        expect((await store.find('k'))?.entry.body).toHaveLength(0);
      });

      it('keeps two keys apart', async () => {
        await fillUnder(store, 'k1', anEntry({ body: Buffer.from('1') }));
        await fillUnder(store, 'k2', anEntry({ body: Buffer.from('2') }));
        expect((await store.find('k1'))?.entry.body.toString()).toBe('1');
      });

      it('forgets an entry at the end of its life, stale windows included', async () => {
        const now = Date.now();
        await fillUnder(store, 'k', anEntry({ freshUntil: now + 20, staleIfErrorMs: 20 }));
        await elapsed(80);
        expect(await store.find('k')).toBeUndefined();
      });

      it('puts a value over whatever is there', async () => {
        await fillUnder(store, 'k', anEntry());
        await store.put('k', anEntry({ body: Buffer.from('new') }));
        expect((await store.find('k'))?.entry.body.toString()).toBe('new');
      });

      it('freshens metadata and keeps the body', async () => {
        const entry = anEntry();
        await fillUnder(store, 'k', entry);
        const lease = await leaseOf(store, 'k', { seenId: entry.id });
        const freshened = { ...entry, id: 'nextnextnext', freshUntil: entry.freshUntil + 1_000 };
        expect(await store.fill(lease, freshened, { keepsBody: true })).toBe(true);
        expect((await store.find('k'))?.entry).toEqual(freshened);
      });
    });

    describe('leases', () => {
      it('are granted to one at a time', async () => {
        const answers = await Promise.all(Array.from({ length: 20 }, () => store.acquire(asking('k'))));
        expect(answers.filter(({ kind }) => kind === 'granted')).toHaveLength(1);
        expect(answers.filter(({ kind }) => kind === 'held')).toHaveLength(19);
      });

      it('are granted again to the one who repeats its request', async () => {
        const request = asking('k');
        for (let times = 0; times < 2; times++) expect((await store.acquire(request)).kind).toBe('granted');
        expect((await store.acquire(asking('k'))).kind).toBe('held');
      });

      it('of what is missing of a URL are held by a load that began while nothing was stored for it', async () => {
        const [one, two] = [
          await leaseOf(store, 'k', { selection: 'a' }),
          await leaseOf(store, 'k', { selection: 'b' }),
        ];
        expect(await store.fill(two, anEntry())).toBe(true);
        const member = (selection: string) => asking(`k|${selection}`, { firstLoad: { key: 'k', selection } });
        expect(await store.acquire(member('a'))).toEqual({ kind: 'held', holder: one.token });
        expect((await store.acquire(member('b'))).kind).toBe('granted');
        await store.release(one);
        expect((await store.acquire(member('a'))).kind).toBe('granted');
      });

      it('of what is missing of a URL are not held by a load that an invalidation has overtaken', async () => {
        await leaseOf(store, 'k', { selection: 'a', tags: ['t'] });
        await store.fill(await leaseOf(store, 'k', { selection: 'b' }), anEntry());
        await store.invalidate({ kind: 'tag', tag: 't' }, 'purge');
        const member = asking('k|a', { firstLoad: { key: 'k', selection: 'a' }, tags: ['t'] });
        expect((await store.acquire(member)).kind).toBe('granted');
      });

      it('are free again once given back', async () => {
        await store.release(await leaseOf(store, 'k'));
        await expect(leaseOf(store, 'k')).resolves.toBeDefined();
      });

      it('end by themselves, and the late holder stores nothing', async () => {
        const late = await leaseOf(store, 'k', { leaseMs: 30 });
        await elapsed(100);
        const next = await leaseOf(store, 'k');
        expect(await store.fill(late, anEntry({ body: Buffer.from('late') }))).toBe(false);
        expect(await store.fill(next, anEntry({ body: Buffer.from('next') }))).toBe(true);
        expect((await store.find('k'))?.entry.body.toString()).toBe('next');
      });

      it('last longer when renewed', async () => {
        const lease = await leaseOf(store, 'k', { leaseMs: 150 });
        await store.renew(lease, 5_000);
        await elapsed(250);
        expect((await store.acquire(asking('k'))).kind).toBe('held');
      });

      it('are not released by another than the holder', async () => {
        const lease = await leaseOf(store, 'k');
        await store.release({ ...lease, token: 'another' });
        expect((await store.acquire(asking('k'))).kind).toBe('held');
      });

      it.each([
        ['fill', false],
        ['freshening', true],
      ])('allow a %s over an entry that ends during the load', async (_way, keepsBody) => {
        // Where the entry has ended before the lease is asked for, once more with one that lives longer: the machine is slow.
        for (const lifeMs of [400, 4_000, 20_000]) {
          const key = `k-${lifeMs}`;
          const freshUntil = Date.now() + lifeMs;
          const ending = anEntry({ freshUntil, staleIfErrorMs: 0 });
          await fillUnder(store, key, ending);
          const answer = await store.acquire(asking(key, { seenId: ending.id, leaseMs: 60_000 }));
          if (answer.kind !== 'granted') continue;
          await elapsed(freshUntil - Date.now() + 100);
          const next = { ...ending, id: 'nextnextnext', freshUntil: Date.now() + 60_000 };
          expect(await store.fill(answer.lease, next, { keepsBody })).toBe(true);
          expect((await store.find(key))?.entry).toEqual(next);
          return;
        }
        throw new Error('No lease was granted.');
      });

      it('are not granted to who has seen another entry than there is', async () => {
        await fillUnder(store, 'k', anEntry());
        expect((await store.acquire(asking('k'))).kind).toBe('changed');
      });

      it('are granted to who finds nothing, in the same step where the store can', async () => {
        const lease = await leaseOfMiss(store, asking('k', { tags: ['t'] }));
        expect(lease).toMatchObject({ key: 'k', tags: ['t'], baseId: '' });
        expect((await store.acquire(asking('k'))).kind).toBe('held');
        expect(await store.fill(lease, anEntry({ tags: ['t'] }))).toBe(true);
        expect((await store.findOrAcquire(asking('k'))).found).toBeDefined();
      });

      it('that were granted to who found nothing are revoked by an invalidation', async () => {
        const lease = await leaseOfMiss(store, asking('k', { tags: ['t'] }));
        await store.invalidate({ kind: 'tag', tag: 't' }, 'purge');
        expect(await store.fill(lease, anEntry({ tags: ['t'] }))).toBe(false);
      });

      it('wake those who wait when the load ends', async () => {
        const lease = await leaseOf(store, 'k');
        const waited = store.change('k', 60_000); // longer than a test may take
        await store.fill(lease, anEntry());
        await waited;
      });
    });

    it('leaves no lease behind of two who look at once, with an invalidation between them', async () => {
      for (let times = 0; times < 5; times++) {
        const key = `looked-for-${times}`;
        const first = store.findOrAcquire(asking(key));
        const dropping = store.invalidate({ kind: 'key', key: 'another' }, 'purge');
        const [one, two] = await Promise.all([first, store.findOrAcquire(asking(key)), dropping]);
        for (const answer of [one, two])
          if (!answer.found && answer.lease?.kind === 'granted') await store.release(answer.lease.lease);
        await store.release(await leaseOf(store, key));
      }
    });

    describe('failures', () => {
      const failure = { code: 'upstream-timeout', message: 'too slow', retryAfterMs: 1_000 };

      it('are shared with those who waited for the load, and with nobody else', async () => {
        const lease = await leaseOf(store, 'k');
        await store.fail(lease, failure, 0);
        expect(await store.acquire(asking('k', { waitedFor: lease.token }))).toMatchObject({ kind: 'failed', failure });
        expect((await store.acquire(asking('k'))).kind).toBe('granted');
      });

      it('keep everybody away during a pause', async () => {
        await store.fail(await leaseOf(store, 'k'), failure, 5_000);
        const answer = await store.acquire(asking('k'));
        expect(answer).toMatchObject({ kind: 'failed', failure });
      });

      it('are counted until a load succeeds', async () => {
        await store.fail(await leaseOf(store, 'k'), failure, 0);
        const second = await leaseOf(store, 'k');
        expect(second.failures).toBe(1);
        await store.fail(second, failure, 0);
        const third = await leaseOf(store, 'k');
        expect(third.failures).toBe(2);
        const entry = anEntry();
        await store.fill(third, entry);
        expect((await leaseOf(store, 'k', { seenId: entry.id })).failures).toBe(0);
      });
    });

    describe.each<[string, InvalidationTarget]>([
      ['by one of its tags', { kind: 'tag', tag: 't' }],
      ['by the tag of its upstream', { kind: 'tag', tag: 'upstream:github' }],
      ['by its key', { kind: 'key', key: 'github:-:/k' }],
      ['by a prefix', { kind: 'prefix', prefix: 'github:-:' }],
    ])('after an invalidation %s', (_how, target) => {
      const key = 'github:-:/k';
      const down = { code: 'upstream-unreachable', message: 'down' };
      const modes = ['purge', 'stale'] as const;
      const more = { tags: ['u', 't'] };

      it.each(modes)('(%s) a load that began before is not waited for, and stores nothing', async (mode) => {
        for (const selection of [undefined, 'json']) {
          const before = await leaseOf(store, key, { ...more, selection });
          await store.invalidate(target, mode);
          const after = await leaseOf(store, key, { ...more, selection });
          expect(await store.fill(before, anEntry(more))).toBe(false);
          expect((await store.acquire(asking(key, { ...more, selection }))).kind).toBe('held');
          expect(await store.fill(after, anEntry(more))).toBe(true);
          await store.invalidate({ kind: 'key', key }, 'purge');
        }
      });

      it.each(modes)('(%s) neither the pause of a failed load holds, nor its failure', async (mode) => {
        for (const selection of [undefined, 'json']) {
          await store.fail(await leaseOf(store, key, { ...more, selection }), down, 60_000);
          expect((await store.acquire(asking(key, { ...more, selection }))).kind).toBe('failed');
          await store.invalidate(target, mode);
          await store.release(await leaseOf(store, key, { ...more, selection }));
        }
      });

      it('a load that fails late, but began before, keeps nobody away', async () => {
        const before = await leaseOf(store, key, more);
        await store.invalidate(target, 'purge');
        await store.fail(before, down, 60_000);
        expect((await store.acquire(asking(key, { ...more, waitedFor: before.token }))).kind).toBe('granted');
      });

      it('what has other tags, and another key, is still waited for', async () => {
        const other = { tags: ['u'] };
        await leaseOf(store, 'app:/other', other);
        await store.fail(await leaseOf(store, 'app:/failed', other), down, 60_000);
        await store.invalidate(target, 'purge');
        expect((await store.acquire(asking('app:/other', other))).kind).toBe('held');
        expect((await store.acquire(asking('app:/failed', other))).kind).toBe('failed');
      });
    });

    it('forgets the failure of a load that began under a lower mark of its index', async () => {
      const down = { code: 'upstream-unreachable', message: 'down' };
      await store.fail(await leaseOf(store, 'k', { indexMark: 3 }), down, 60_000);
      expect((await store.acquire(asking('k', { indexMark: 3 }))).kind).toBe('failed');
      expect((await store.acquire(asking('k', { indexMark: 4 }))).kind).toBe('granted');
    });

    describe('invalidation', () => {
      const targets: [string, InvalidationTarget][] = [
        ['key', { kind: 'key', key: 'github:k' }],
        ['tag', { kind: 'tag', tag: 'account:k' }],
        ['prefix', { kind: 'prefix', prefix: 'github:' }],
        ['empty prefix', { kind: 'prefix', prefix: '' }],
      ];

      it.each(targets.filter(([, target]) => reaches(target)))(
        'by %s removes the entry and counts it',
        async (_name, target) => {
          await fillUnder(store, 'github:k', anEntry({ tags: ['account:k'] }));
          await fillUnder(store, 'other', anEntry({ tags: ['account:other'] }));
          const count = await store.invalidate(target, 'purge');
          expect(await store.find('github:k')).toBeUndefined();
          const all = target.kind === 'prefix' && target.prefix === '';
          expect(count).toBe(all ? 2 : 1);
          expect(await store.find('other')).toEqual(all ? undefined : expect.anything());
        },
      );

      it.each(targets)('by %s keeps a load that began before from storing', async (_name, target) => {
        const lease = await leaseOf(store, 'github:k');
        await store.invalidate(target, 'purge');
        expect(await store.fill(lease, anEntry({ tags: ['account:k'] }))).toBe(false);
        expect(await store.find('github:k')).toBeUndefined();
      });

      it.each(targets)('by %s keeps the first load of a selection from storing', async (_name, target) => {
        for (const mode of ['purge', 'stale'] as const) {
          const lease = await leaseOf(store, 'github:k', { selection: mode });
          await store.invalidate(target, mode);
          expect(await store.fill(lease, anEntry({ tags: ['account:k'] }))).toBe(false);
          expect(await store.find('github:k')).toBeUndefined();
        }
      });

      it.each(targets)('by %s keeps a validation that began before from freshening', async (_name, target) => {
        const entry = anEntry({ tags: ['account:k'] });
        await fillUnder(store, 'github:k', entry);
        const lease = await leaseOf(store, 'github:k', { seenId: entry.id });
        await store.invalidate(target, 'purge');
        expect(await store.fill(lease, { ...entry, id: 'nextnextnext' }, { keepsBody: true })).toBe(false);
        expect(await store.find('github:k')).toBeUndefined();
      });

      it.each(targets)('by %s lets a load that begins after it store', async (_name, target) => {
        await store.invalidate(target, 'purge');
        await fillUnder(store, 'github:k', anEntry({ tags: ['account:k'] }));
        expect(await store.find('github:k')).toBeDefined();
      });

      itIfSoft.each(targets)(
        'by %s, soft, keeps the entry as stale under a new id, each time anew',
        async (_name, target) => {
          const entry = anEntry({ tags: ['account:k'] });
          await fillUnder(store, 'github:k', entry);
          expect(await store.invalidate(target, 'stale')).toBe(1);
          const first = (await store.find('github:k'))?.entry;
          expect(first).toEqual({
            ...entry,
            id: expect.any(String) as string,
            softPurgeMark: expect.any(Number) as number,
          });
          expect(await store.invalidate(target, 'stale')).toBe(1);
          const second = (await store.find('github:k'))?.entry;
          expect(second?.softPurgeMark).toBeGreaterThan(first?.softPurgeMark ?? NaN);
          expect(new Set([entry.id, first?.id, second?.id]).size).toBe(3);
          expect(await store.listing.inspect('github:k')).toMatchObject({ softPurgeMark: second?.softPurgeMark });
        },
      );

      itIfSoft.each(targets)(
        'by %s, soft, keeps a load and a validation that began before from storing',
        async (_name, target) => {
          const entry = anEntry({ tags: ['account:k'], body: Buffer.from('old') });
          await fillUnder(store, 'github:k', entry);
          const loading = await leaseOf(store, 'github:k', { seenId: entry.id });
          await store.invalidate(target, 'stale');
          expect(await store.fill(loading, anEntry({ tags: ['account:k'] }))).toBe(false);
          const stale = (await store.find('github:k'))?.entry;
          const validating = await leaseOf(store, 'github:k', { seenId: stale?.id ?? '' });
          await store.invalidate(target, 'stale');
          expect(await store.fill(validating, { ...entry, id: 'nextnextnext' }, { keepsBody: true })).toBe(false);
          expect((await store.find('github:k'))?.entry.softPurgeMark).toBeGreaterThan(0);
        },
      );

      itIfSoft.each(targets)(
        'by %s, soft, is over once a load that began after it has stored',
        async (_name, target) => {
          await fillUnder(store, 'github:k', anEntry({ tags: ['account:k'] }));
          await store.invalidate(target, 'stale');
          const stale = (await store.find('github:k'))?.entry;
          const next = anEntry({ tags: ['account:k'] });
          expect(await store.fill(await leaseOf(store, 'github:k', { seenId: stale?.id ?? '' }), next)).toBe(true);
          expect((await store.find('github:k'))?.entry).toEqual(next);
        },
      );

      it('takes the lease of a member from a load that began under a lower mark of the index, and never from a later one', async () => {
        const before = await leaseOf(store, 'k|generation|-');
        expect((await store.acquire(asking('k|generation|-'))).kind).toBe('held');
        const after = await leaseOf(store, 'k|generation|-', { indexMark: 7 });
        for (const indexMark of [0, 6, 7])
          expect(await store.acquire(asking('k|generation|-', { indexMark }))).toEqual({
            kind: 'held',
            holder: after.token,
          });
        expect(await store.fill(before, anEntry({ body: Buffer.from('old') }))).toBe(false);
        const entry = anEntry({ indexMark: 7 });
        expect(await store.fill(after, entry)).toBe(true);
        expect((await store.find('k|generation|-'))?.entry).toEqual(entry);
      });

      it('gives the lease of a member by the mark of the index that was seen, also where the search requests it', async () => {
        await leaseOf(store, 'k|generation|-');
        await leaseOfMiss(store, asking('k|generation|-', { indexMark: 7 }));
      });

      it('by the tag of an upstream covers every key of it, whatever its tags', async () => {
        const tag = { kind: 'tag', tag: 'upstream:github' } as const;
        const [loading, other] = [await leaseOf(store, 'github:loading'), await leaseOf(store, 'githubs:loading')];
        for (const key of ['github:k', 'github:k|generation|-', 'named']) {
          const tags = key === 'named' ? ['upstream:github'] : [];
          await fillUnder(store, key, anEntry({ tags }));
        }
        await fillUnder(store, 'githubs:k', anEntry({ upstream: 'githubs', tags: ['upstream:githubs'] }));
        expect(await store.invalidate(tag, 'purge')).toBe(3);
        for (const key of ['github:k', 'github:k|generation|-', 'named']) expect(await store.find(key)).toBeUndefined();
        expect(await store.find('githubs:k')).toBeDefined();
        expect(await store.fill(loading, anEntry({ tags: [] }))).toBe(false);
        expect(await store.fill(other, anEntry({ upstream: 'githubs', tags: [] }))).toBe(true);
      });

      itIfPrefix('by a prefix longer than the beginning that a hashed key keeps covers what may begin so', async () => {
        const name = `github:-:/search?q=${'a'.repeat(300)}`;
        const [hashed, readable] = [toCacheKey(`${name}${'b'.repeat(300)}`), `${name}c`];
        const other = toCacheKey(`github:-:/search?q=${'b'.repeat(900)}`);
        for (const key of [hashed, `${hashed}|generation|-`, readable, other]) await fillUnder(store, key, anEntry());
        const lease = await leaseOf(store, toCacheKey(`${name}${'d'.repeat(300)}`));
        expect(await store.invalidate({ kind: 'prefix', prefix: name }, 'purge')).toBe(3);
        for (const key of [hashed, `${hashed}|generation|-`, readable]) expect(await store.find(key)).toBeUndefined();
        expect(await store.find(other)).toBeDefined();
        expect(await store.fill(lease, anEntry())).toBe(false);
      });

      itIfPrefix('by a prefix that reaches into what belongs to a resource covers all of the resource', async () => {
        const [key, other] = ['github:-:/users/x', 'github:-:/users/xy'];
        for (const prefix of [`${key}|`, `${key}|generation|-`]) {
          const [loading, elsewhere] = [await leaseOf(store, key), await leaseOf(store, other)];
          await store.invalidate({ kind: 'prefix', prefix }, 'purge');
          expect(await store.fill(loading, anEntry())).toBe(false);
          expect(await store.fill(elsewhere, anEntry())).toBe(true);
          await fillUnder(store, key, anEntry());
          await fillUnder(store, `${key}|generation|-`, anEntry());
          expect(await store.listing.count({ kind: 'prefix', prefix })).toEqual({ count: 2, isExact: true });
          expect(await store.invalidate({ kind: 'prefix', prefix }, 'purge')).toBe(2);
          expect(await store.find(other)).toBeDefined();
          await store.invalidate({ kind: 'prefix', prefix: '' }, 'purge');
        }
      });

      itIfPrefix('takes a prefix literally', async () => {
        await fillUnder(store, 'a*b', anEntry());
        await fillUnder(store, 'axb', anEntry());
        expect(await store.invalidate({ kind: 'prefix', prefix: 'a*' }, 'purge')).toBe(1);
        expect(await store.find('axb')).toBeDefined();
      });

      it('of a tag removes every entry that carries it, in any number', async () => {
        const keys = Array.from({ length: 1_200 }, (_, at) => `many:${at}`);
        await fillAll(store, keys, { tags: ['account:many'] });
        expect(await store.invalidate({ kind: 'tag', tag: 'account:many' }, 'purge')).toBe(1_200);
        expect(await store.find('many:7')).toBeUndefined();
      });
    });

    describe('looking', () => {
      it('shows an entry without its body', async () => {
        await fillUnder(store, 'k', anEntry({ body: Buffer.alloc(1_234) }));
        const listed = await store.listing.inspect('k');
        expect(listed).toMatchObject({ key: 'k', bodyBytes: 1_234 });
        expect(listed?.expiresInMs).toBeGreaterThan(100_000);
        expect(await store.listing.inspect('none')).toBeUndefined();
      });

      it('lists all that matches a glob, page by page', async () => {
        const keys = Array.from({ length: 250 }, (_, at) => `list:${String(at).padStart(3, '0')}`);
        await fillAll(store, [...keys, 'else:1']);
        const seen: string[] = [];
        let cursor: string | undefined;
        do {
          const page = await store.listing.list('list:*', cursor, 40);
          seen.push(...page.items.map(({ key }) => key));
          cursor = page.cursor;
        } while (cursor !== undefined);
        expect([...new Set(seen)].sort()).toEqual(keys);
      });

      it('takes nothing but * and ? for a wildcard', async () => {
        await fillUnder(store, 'list:a', anEntry());
        expect((await store.listing.list('list:[a-z]', undefined, 10)).items).toHaveLength(0);
        expect((await store.listing.list('list:?', undefined, 10)).items).toHaveLength(1);
      });
    });
  });
}
