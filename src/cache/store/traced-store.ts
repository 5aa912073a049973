import { createHash } from 'node:crypto';
import { inSpan, type Tracer } from '../../kernel/tracer';
import type { CacheStore, Found } from './cache-store';

/** A key in spans: the same for the same URL and partition, and nothing can be read from it. */
export function keyHash(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 16);
}

/** Adds spans to the steps of a request: the look-up, the lease, and storing. In place, so that the store's own calls are seen too. */
export function addSpans(store: CacheStore, tracer: Tracer): void {
  const [find, findOrAcquire] = [store.find.bind(store), store.findOrAcquire.bind(store)];
  const [acquire, fill] = [store.acquire.bind(store), store.fill.bind(store)];
  const start = (name: string, key: string) =>
    tracer.start(name, 'internal', { 'larder.cache.key_hash': keyHash(key) });

  const lookUp = <T>(key: string, look: () => Promise<T>, foundIn: (result: T) => Found | undefined): Promise<T> => {
    const span = start('cache lookup', key);
    return inSpan(span, async () => {
      const result = await look();
      const found = foundIn(result);
      span?.set({ 'larder.cache.found': found !== undefined, 'larder.cache.tier': found?.tier });
      return result;
    });
  };
  store.find = (key) =>
    lookUp(
      key,
      () => find(key),
      (found) => found,
    );
  store.findOrAcquire = (request) =>
    lookUp(
      request.key,
      () => findOrAcquire(request),
      ({ found }) => found,
    );
  store.acquire = (request) => {
    const span = start('cache lease', request.key);
    return inSpan(span, async () => {
      const answer = await acquire(request);
      span?.set({ 'larder.lease': answer.kind });
      return answer;
    });
  };
  store.fill = (lease, entry, options) => {
    const keepsBody = options?.keepsBody === true;
    const span = start(keepsBody ? 'cache freshen' : 'cache store', lease.key);
    return inSpan(span, async () => {
      const isStored = await fill(lease, entry, options);
      if (!keepsBody) span?.set({ 'larder.cache.stored': isStored, 'larder.cache.body_bytes': entry.body.length });
      return isStored;
    });
  };
}
