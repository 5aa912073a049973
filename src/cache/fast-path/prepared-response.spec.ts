import type { CacheEntry } from '../model/cache-entry';
import { newEntryId } from '../model/random-id';
import { PreparedResponse, type HeadContext, type Presentation, type Served } from './prepared-response';

let limit = 0;
const presentation: Presentation = {
  cacheFields: ({ entry, tier }, key, now) => [
    'x-key',
    key,
    'x-tier',
    tier,
    'x-limit',
    String(limit),
    'x-age',
    String(Math.floor((now - entry.storedAt) / 1_000)),
  ],
  edgeFields: (edge) => edge,
  notModifiedFields: (stored) => stored.filter(([name]) => name !== 'content-type'),
};
const context: HeadContext = { edge: [], server: { keepAliveTimeout: 5_000, maxRequestsPerSocket: 0 } };
const stored = [['content-type', 'text/plain']] as const;

function entryOf(name: string): CacheEntry {
  return {
    ...{ id: newEntryId(), status: 200, headers: stored, validators: {}, upstream: 'test', tags: [], etag: '"e"' },
    ...{ storedAt: 0, freshUntil: 60_000, staleWhileRevalidateMs: 0, staleIfErrorMs: 0, loadDurationMs: 0 },
    ...{ mustRevalidate: false, coding: 'identity', body: Buffer.from(name) },
  };
}

function servedOf(name: string): { readonly served: Served; readonly prepared: PreparedResponse } {
  const entry = entryOf(name);
  const prepared = new PreparedResponse(entry, entry.body, { presentation, key: name, stored });
  return { served: { entry, outcome: 'HIT', tier: 'l1' }, prepared };
}

describe('the head of a prepared response', () => {
  afterEach(() => jest.restoreAllMocks());

  it('is its own, for many more responses than heads are kept, in any order and any form', () => {
    const all = Array.from({ length: 700 }, (_, at) => servedOf(`response-${at}`));
    const headOf = ({ prepared, served }: (typeof all)[number], kind: 'whole' | 'not-modified'): string => {
      const { beforeRequestId, afterTimings } = prepared.serializedHead({ kind }, served, 1_000, context);
      return beforeRequestId + afterTimings;
    };
    for (const [order, list] of [all, [...all].reverse(), all.slice(0, 600)].entries())
      for (const one of list) {
        const name = one.served.entry.body.toString();
        for (const kind of order % 2 === 0 ? (['whole', 'not-modified'] as const) : (['not-modified'] as const)) {
          const head = headOf(one, kind);
          expect(head).toContain(`x-key: ${name}\r\n`);
          expect(head.includes('content-type')).toBe(kind === 'whole');
          expect(head.includes(`content-length: ${name.length}\r\n`)).toBe(kind === 'whole');
        }
      }
  });

  it('shows each second of the age as soon as it begins', () => {
    const { prepared, served } = servedOf('one');
    const ageAt = (now: number): string | undefined =>
      /x-age: (\d+)/.exec(prepared.serializedHead({ kind: 'whole' }, served, now, context).beforeRequestId)?.[1];
    for (let now = 0; now < 59_000; now += 333.25) expect(ageAt(now)).toBe(String(Math.floor(now / 1_000)));
  });

  it('is rendered again for another tier, another time and another rate limit', () => {
    jest.spyOn(Date, 'now').mockReturnValue(1_700_000_000_000); // a second begins, and does not end
    const { prepared, served } = servedOf('one');
    const head = (one: Served, revision: number, now = 1_500): string =>
      prepared.serializedHead({ kind: 'whole' }, one, now, { ...context, limits: { revision } }).beforeRequestId;
    expect(head(served, 0)).toContain('x-tier: l1\r\nx-limit: 0\r\n');
    limit = 1;
    expect(head(served, 0)).toContain('x-limit: 0\r\n');
    expect(head(served, 1)).toContain('x-limit: 1\r\n');
    limit = 2;
    expect(head(served, 1, 2_500)).toContain('x-limit: 2\r\n');
    expect(head({ ...served, tier: 'l2' }, 1, 2_500)).toContain('x-tier: l2\r\n');
  });
});
