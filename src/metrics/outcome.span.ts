import { Injectable } from '@nestjs/common';
import { CacheEvents, keyHash } from '../cache';
import { currentTracer } from '../kernel/tracer';

/** Adds the outcome of a request to its span, where traces are exported. */
@Injectable()
export class OutcomeSpan {
  constructor(events: CacheEvents) {
    const tracer = currentTracer();
    if (!tracer) return;
    events.subscribe(({ outcome, tier, upstream, key, failure }) =>
      tracer.annotate({
        'larder.cache.outcome': outcome,
        'larder.cache.tier': tier,
        'larder.cache.key_hash': keyHash(key),
        'larder.upstream': upstream,
        'larder.failure': failure,
      }),
    );
  }
}
