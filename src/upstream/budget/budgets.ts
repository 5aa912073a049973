import { Injectable } from '@nestjs/common';
import { CacheEvents, isFromStore } from '../../cache';
import type { RateBudget } from './rate-budget';

/** Requests that the upstream was not asked for. */
export interface Savings {
  /** Answered from the store. */
  stored: number;
  /** Answered by another request's load. */
  collapsed: number;
}

/** The budgets of all upstreams, for admin API and metrics: operations know no upstream. */
@Injectable()
export class Budgets {
  private readonly budgets = new Map<string, RateBudget>();
  private readonly savings = new Map<string, Savings>();

  constructor(events: CacheEvents) {
    events.subscribe(({ upstream, outcome }) => {
      const savings = this.savingsOf(upstream);
      if (isFromStore(outcome)) savings.stored += 1;
      else if (outcome === 'COALESCED') savings.collapsed += 1;
    });
  }

  add(budget: RateBudget): void {
    this.budgets.set(budget.options.upstream, budget);
  }

  all(): readonly RateBudget[] {
    return [...this.budgets.values()];
  }

  find(upstream: string): RateBudget | undefined {
    return this.budgets.get(upstream);
  }

  savingsOf(upstream: string): Savings {
    let savings = this.savings.get(upstream);
    if (!savings) {
      savings = { stored: 0, collapsed: 0 };
      this.savings.set(upstream, savings);
    }
    return savings;
  }
}
