import { createHash } from 'node:crypto';
import { inSpan, type SpanAttributes, type Tracer } from '../../kernel/tracer';
import { CacheStore, type Found, type LeaseAnswer } from './cache-store';

/** A key in spans: the same for the same URL and partition, and nothing can be read from it. */
export function keyHash(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 16);
}

/** Adds spans to the steps of a request: the look-up, the lease, and storing. In place, so that the store's own calls are seen too. */
export function addSpans(store: CacheStore, tracer: Tracer): void {
  const [find, findOrAcquire] = [store.find.bind(store), store.findOrAcquire.bind(store)];
  const [acquire, fill] = [store.acquire.bind(store), store.fill.bind(store)];
  const within = <T>(
    name: string,
    key: string,
    work: () => Promise<T>,
    attributesOf: (result: T) => SpanAttributes,
  ): Promise<T> => {
    const span = tracer.start(name, 'internal', { 'larder.cache.key_hash': keyHash(key) });
    return inSpan(span, async () => {
      const result = await work();
      span?.set(attributesOf(result));
      return result;
    });
  };
  const foundIn = (found: Found | undefined): SpanAttributes => ({
    'larder.cache.found': found !== undefined,
    'larder.cache.tier': found?.tier,
  });
  const lease = (key: string, work: () => Promise<LeaseAnswer>): Promise<LeaseAnswer> =>
    within('cache lease', key, work, ({ kind }) => ({ 'larder.lease': kind }));

  store.find = (key) => within('cache lookup', key, () => find(key), foundIn);
  // A store without its own `findOrAcquire` has a span for each of the two steps.
  if (store.findOrAcquire !== CacheStore.prototype.findOrAcquire)
    store.findOrAcquire = async (request) => {
      const look = (): ReturnType<typeof findOrAcquire> => findOrAcquire(request);
      const answer = await within('cache lookup', request.key, look, ({ found }) => foundIn(found));
      const { lease: granted } = answer.found ? {} : answer;
      if (granted) await lease(request.key, () => Promise.resolve(granted));
      return answer;
    };
  store.acquire = (request) => lease(request.key, () => acquire(request));
  store.fill = (filled, entry, options) => {
    const name = options?.keepsBody === true ? 'cache freshen' : 'cache store';
    const attributesOf = (isStored: boolean): SpanAttributes => ({
      'larder.cache.stored': isStored,
      'larder.cache.body_bytes': entry.body.length,
    });
    return within(name, filled.key, () => fill(filled, entry, options), attributesOf);
  };
}
