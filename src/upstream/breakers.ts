import { Injectable } from '@nestjs/common';

/** `half-open`: a few requests are let through to see. */
export type BreakerState = 'closed' | 'half-open' | 'open';

const BY_RISING_ALARM: readonly BreakerState[] = ['closed', 'half-open', 'open'];

/** The circuit breakers of all upstreams, for health and metrics: operations know no upstream. */
@Injectable()
export class Breakers {
  private readonly breakers: (readonly [upstream: string, read: () => BreakerState])[] = [];

  add(upstream: string, read: () => BreakerState): void {
    this.breakers.push([upstream, read]);
  }

  /** Of an upstream with several the one that is open furthest. */
  all(): readonly { readonly upstream: string; readonly state: BreakerState }[] {
    const states = new Map<string, BreakerState>();
    for (const [upstream, read] of this.breakers) {
      const state = read();
      const there = states.get(upstream) ?? 'closed';
      states.set(upstream, BY_RISING_ALARM.indexOf(state) > BY_RISING_ALARM.indexOf(there) ? state : there);
    }
    return [...states].map(([upstream, state]) => ({ upstream, state }));
  }
}
