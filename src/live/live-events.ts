import { Injectable, type OnModuleInit } from '@nestjs/common';
import { CacheEvents, CacheInvalidator, type CacheEvent, type Invalidation, type InvalidationTarget } from '../cache';
import { kindOfProblem } from '../kernel/problem-table';
import { Clock } from '../kernel/clock';
import { EventSampling } from './event-sampling';
import type { LiveEventName } from './live-message';

export type LiveEventListener = (event: LiveEventName, data: Record<string, unknown>) => void;

/** The outcomes and invalidations of this process with their keys, some of many, while an admin watches. */
@Injectable()
export class LiveEvents implements OnModuleInit {
  private readonly outcomes = new EventSampling();
  private readonly invalidations = new EventSampling();
  private listener: LiveEventListener | undefined;
  private unsubscribe: (() => void) | undefined;

  constructor(
    private readonly events: CacheEvents,
    private readonly invalidator: CacheInvalidator,
    private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    this.invalidator.onInvalidated((invalidation) => this.publishInvalidation(invalidation));
  }

  start(listener: LiveEventListener): void {
    if (this.unsubscribe) return;
    this.listener = listener;
    this.unsubscribe = this.events.subscribe((event) => this.publishOutcome(event));
  }

  stop(): void {
    this.unsubscribe?.();
    this.unsubscribe = undefined;
    this.listener = undefined;
  }

  private publishOutcome({ outcome, tier, upstream, key, status, durationMs, failure, requestId }: CacheEvent): void {
    const oneIn = this.outcomes.pick(performance.now());
    if (oneIn === undefined) return;
    this.listener?.('outcome', {
      ...{ at: Math.round(this.clock.now()), outcome, tier, upstream, key },
      ...{ status: status ?? kindOfProblem(failure).status, durationMs: Math.round(durationMs * 1_000) / 1_000 },
      ...{ requestId, failure, oneIn },
    });
  }

  private publishInvalidation({ targets, mode, count, source }: Invalidation): void {
    const oneIn = this.listener && this.invalidations.pick(performance.now());
    if (oneIn === undefined) return;
    this.listener?.('invalidation', {
      ...{
        at: Math.round(this.clock.now()),
        by: source,
        what: targets.slice(0, MAX_TARGETS).map(whatOf),
        mode,
        count,
        oneIn,
      },
    });
  }
}

/** How many targets of one invalidation are shown. */
const MAX_TARGETS = 20;

function whatOf(target: InvalidationTarget): { readonly kind: string; readonly name: string } {
  switch (target.kind) {
    case 'key':
      return { kind: 'key', name: target.key };
    case 'tag':
      return { kind: 'tag', name: target.tag };
    case 'prefix':
      return { kind: target.prefix === '' ? 'all' : 'prefix', name: target.prefix };
  }
}
