import type { BudgetView, RateBudget } from '../upstream';
import type { BudgetDocument } from './budget.documents';

/** Expired limits are omitted: the new window is unknown yet. */
export function budgetView(
  { options, counts, load, savings: { stored, collapsed } }: RateBudget,
  budgets: readonly BudgetView[],
  now: number,
): BudgetDocument {
  return {
    upstream: options.upstream,
    credentials: budgets.map(({ credential, resources, pausedUntil }) => ({
      credential,
      resources: Object.fromEntries(
        Object.entries(resources)
          .filter(([, { resetAt }]) => resetAt > now)
          .map(([name, { limit, remaining, resetAt }]) => [
            name,
            {
              ...{ limit, remaining, used: Math.max(0, limit - remaining) },
              ...{ resetAt: new Date(resetAt).toISOString(), resetIn: Math.ceil((resetAt - now) / 1_000) },
            },
          ]),
      ),
      pausedFor: Math.max(0, Math.ceil((pausedUntil - now) / 1_000)),
    })),
    requests: {
      ...{ sent: counts.sent, notModified: counts.notModified, heldBack: counts.heldBack },
      ...{ savedByStore: stored, savedByCollapsing: collapsed, underWay: load.active, waiting: load.waiting },
    },
  };
}
