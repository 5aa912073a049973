/** How often a credential may ask, per window. */
export interface RateLimitSettings {
  readonly anonymous: number;
  readonly token: number;
  readonly searchAnonymous: number;
  readonly searchToken: number;
  readonly windowMs: number;
  readonly searchWindowMs: number;
}

export const DEFAULT_RATE_LIMITS: RateLimitSettings = {
  anonymous: 60,
  token: 5_000,
  searchAnonymous: 10,
  searchToken: 30,
  windowMs: 3_600_000,
  searchWindowMs: 60_000,
};

export type RateLimitResource = 'core' | 'search' | 'graphql';

interface Window {
  readonly limit: number;
  readonly resetAt: number;
  used: number;
}

/** GitHub's primary limits: one count per credential and resource (docs.github.com, "Rate limits for the REST API"). */
export class RateLimits {
  private readonly windows = new Map<string, Window>();

  constructor(
    private readonly settings: RateLimitSettings,
    private readonly clock: () => number,
  ) {}

  isSpent(credential: string | undefined, resource: RateLimitResource): boolean {
    const { used, limit } = this.window(credential, resource);
    return used >= limit;
  }

  spend(credential: string | undefined, resource: RateLimitResource): void {
    this.window(credential, resource).used += 1;
  }

  headers(credential: string | undefined, resource: RateLimitResource): Record<string, string> {
    const { limit, used, resetAt } = this.window(credential, resource);
    return {
      'x-ratelimit-limit': String(limit),
      'x-ratelimit-remaining': String(Math.max(0, limit - used)),
      'x-ratelimit-used': String(Math.min(used, limit)),
      'x-ratelimit-reset': String(Math.ceil(resetAt / 1_000)),
      'x-ratelimit-resource': resource,
    };
  }

  /** What `GET /rate_limit` shows. */
  overview(credential: string | undefined): Readonly<Record<string, unknown>> {
    const show = (resource: RateLimitResource) => {
      const { limit, used, resetAt } = this.window(credential, resource);
      const remaining = Math.max(0, limit - used);
      return { limit, used: Math.min(used, limit), remaining, reset: Math.ceil(resetAt / 1_000), resource };
    };
    const core = show('core');
    return { resources: { core, search: show('search'), graphql: show('graphql') }, rate: core };
  }

  reset(): void {
    this.windows.clear();
  }

  private window(credential: string | undefined, resource: RateLimitResource): Window {
    const name = `${resource} ${credential ?? ''}`;
    const now = this.clock();
    const current = this.windows.get(name);
    if (current && current.resetAt > now) return current;
    const { anonymous, token, searchAnonymous, searchToken, windowMs, searchWindowMs } = this.settings;
    const isSearch = resource === 'search';
    const ofAnonymous = resource === 'graphql' ? 0 : isSearch ? searchAnonymous : anonymous;
    const limit = credential === undefined ? ofAnonymous : isSearch ? searchToken : token;
    const fresh = { limit, resetAt: now + (isSearch ? searchWindowMs : windowMs), used: 0 };
    this.windows.set(name, fresh);
    return fresh;
  }
}
