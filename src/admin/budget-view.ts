import type { BudgetView, RateBudget } from '../upstream';

/** A limit for operators. */
export interface LimitView {
  readonly limit: number;
  readonly remaining: number;
  readonly used: number;
  /** ISO 8601. */
  readonly resetAt: string;
  /** Seconds until then. */
  readonly resetIn: number;
}

export interface CredentialView {
  /** The id of a partition: `-` for callers without a credential. */
  readonly credential: string;
  readonly resources: Readonly<Record<string, LimitView>>;
  /** Seconds for which nothing is sent at all, after a secondary limit; 0 for none. */
  readonly pausedFor: number;
}

export interface UpstreamBudgetView {
  readonly upstream: string;
  readonly credentials: readonly CredentialView[];
  /** Counted by this process since its start. */
  readonly requests: {
    readonly sent: number;
    readonly notModified: number;
    readonly heldBack: number;
    readonly savedByStore: number;
    readonly savedByCollapsing: number;
    readonly underWay: number;
    readonly waiting: number;
  };
}

/** Expired limits are omitted: the new window is unknown yet. */
export function budgetView(
  { options, counts, load, savings: { stored, collapsed } }: RateBudget,
  budgets: readonly BudgetView[],
  now: number,
): UpstreamBudgetView {
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
