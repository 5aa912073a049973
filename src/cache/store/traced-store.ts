import { createHash } from 'node:crypto';
import { inSpan, type Tracer } from '../../kernel/tracer';
import type { CacheStore } from './cache-store';

/** A key in spans: the same for the same URL and partition, and nothing can be read from it. */
export function keyHash(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 16);
}

/** Adds spans to the steps of a request: the look-up, the lease, and storing. In place, so that the store's own calls are seen too. */
export function addSpans(store: CacheStore, tracer: Tracer): void {
  const [find, acquire] = [store.find.bind(store), store.acquire.bind(store)];
  const [fill, freshen] = [store.fill.bind(store), store.freshen.bind(store)];
  const start = (name: string, key: string) =>
    tracer.start(name, 'internal', { 'larder.cache.key_hash': keyHash(key) });

  store.find = (key, options) => {
    const span = start('cache lookup', key);
    return inSpan(span, async () => {
      const found = await find(key, options);
      span?.set({ 'larder.cache.found': found !== undefined, 'larder.cache.tier': found?.tier });
      return found;
    });
  };
  store.acquire = (request) => {
    const span = start('cache lease', request.key);
    return inSpan(span, async () => {
      const answer = await acquire(request);
      span?.set({ 'larder.lease': answer.kind });
      return answer;
    });
  };
  store.fill = (lease, entry, linked) => {
    const span = start('cache store', lease.key);
    return inSpan(span, async () => {
      const isStored = await fill(lease, entry, linked);
      span?.set({ 'larder.cache.stored': isStored, 'larder.cache.body_bytes': entry.body.length });
      return isStored;
    });
  };
  store.freshen = (lease, entry) => inSpan(start('cache freshen', lease.key), () => freshen(lease, entry));
}
