import { HttpCache, type RefreshReport } from '../cache';
import { NamedSecrets } from '../kernel/named-secrets';
import type { Cors } from '../server/cors';
import { relayedCors } from '../server/edge-hooks';
import { retryAfterLimits } from './budget/limit-adapters';
import { RateBudget } from './budget/rate-budget';
import { Callers } from './gateway/callers';
import { storedTag } from './gateway/gateway-tags';
import { ALL_FIELDS, headerRules, type HeaderRules } from './gateway/header-rules';
import { inLowerCase, type UpstreamApi } from './upstream-api';
import type { UpstreamDefinition, UpstreamSettings } from './upstream-definition';
import type { UpstreamParts } from './upstream-parts';
import { upstreamSettings } from './upstream-settings';
import { WebhookCounts } from './webhooks/webhook-counts';

/** How long an answer may hold a permit while its client reads it, in milliseconds: slow readers must not hold them all. */
const MAX_BODY_MS = 2_000;
/** How long a response that can be validated is kept after it is stale. */
const RETAIN_MS = 86_400_000;
const DEFAULT_HEADERS = { accept: 'application/json', 'user-agent': 'larder' };
/** 202: the work is still under way. 302, 307: an address that is short-lived. */
const NEVER_STORED = [202, 302, 307];

/** One upstream: its definition with its settings, and what its gateway, its client and its webhooks share. */
export class UpstreamContext {
  /** In the strict profile without the members that go beyond the RFCs. */
  readonly definition: UpstreamDefinition;
  /** The name in sentences. */
  readonly title: string;
  readonly settings: UpstreamSettings;
  readonly api: UpstreamApi;
  readonly headerRules: HeaderRules;
  readonly callers: Callers;
  readonly cors: Cors;
  readonly budget: RateBudget;
  readonly httpCache: HttpCache;
  readonly deliveries = new WebhookCounts();

  constructor(
    given: UpstreamDefinition,
    readonly parts: UpstreamParts,
  ) {
    const { name, title = name, credentials = {} } = given;
    const settings = upstreamSettings(given);
    const { baseUrl, isStrict } = settings;
    this.definition = isStrict ? withoutExtensions(given) : given;
    this.title = title;
    this.settings = settings;
    this.api = {
      ...{ name, baseUrl, limits: { ...parts.upstreams.limits, ...given.limits } },
      headers: inLowerCase(given.headers?.(settings) ?? DEFAULT_HEADERS),
      beside: new Map(Object.entries(given.beside?.(baseUrl, settings) ?? {})),
    };
    this.headerRules = isStrict
      ? ALL_FIELDS
      : headerRules(settings.forwardHeaders, given.forwards, credentials.headers, given.forwardsWithWrites);
    const forwards = (field: string): boolean => this.headerRules.forwards(field, true);
    const adminTokens = new NamedSecrets(parts.upstreams.adminTokens);
    this.callers = new Callers(given, settings, parts.credentialSecret, forwards, adminTokens);
    this.cors = relayedCors(settings.corsOrigins, isStrict);
    this.budget = this.openBudget();
    this.httpCache = this.openCache();
  }

  /** A tag of the definition as it is stored; `*` is everything that the upstream gave. */
  readonly tagOf = (tag: string): string => storedTag(this.definition, tag);

  /** The budget that the gateway obeys and shows to clients; undefined in the strict profile, which sends whatever comes. */
  get limits(): RateBudget | undefined {
    return this.settings.isStrict ? undefined : this.budget;
  }

  /**
   * After an event or a write its tags settle: for a while their responses are fresh for a second at most, because the API may still
   * return the old one.
   */
  settle(tags: readonly string[]): Promise<void> {
    return this.parts.settling.begin(tags, this.settings.settleMs);
  }

  private openBudget(): RateBudget {
    const { parts, definition, title, settings, api } = this;
    const { timeoutMs } = api.limits;
    const { reserve, maxConcurrency, pointsPerMinute } = settings;
    const adapter = definition.rateLimit ?? retryAfterLimits();
    return new RateBudget(
      {
        ...{ upstream: api.name, title, adapter, reserve, maxConcurrency, pointsPerMinute },
        ...{ deadlineMs: timeoutMs, bodyMs: Math.min(timeoutMs, MAX_BODY_MS) },
      },
      parts.store,
      parts.clock,
    );
  }

  private openCache(): HttpCache {
    const { parts, settings, headerRules: rules, definition } = this;
    const { store, loader, clock, caching, settling, events } = parts;
    const { staleAfterMs, maxEntryBytes, loadTimeoutMs, deadlineMs, servesStaleDespiteDirectives } = caching;
    const options = {
      ...{ staleAfterMs, maxEntryBytes, retainForRevalidationMs: RETAIN_MS, selecting: rules.selecting },
      onRefreshed: (report: RefreshReport) => events.refreshed(report),
    };
    if (!settings.isStrict) {
      const neverStored = new Set(definition.neverStored ?? NEVER_STORED);
      const own = { deadlineMs, servesStaleDespiteDirectives, neverStored };
      return new HttpCache(store, loader, clock, { ...options, ...own, ...(settings.settleMs > 0 && { settling }) });
    }
    return new HttpCache(store, loader, clock, {
      ...{ ...options, deadlineMs: loadTimeoutMs, keepsEveryField: true, pausesAfterFailures: false },
      ...{ servesStaleDespiteDirectives: true, servesStaleWhenDisconnected: true },
    });
  }
}

/** The part that the RFCs know: of a write RFC 9111 §4.4 alone, no private response for everyone, and responses as the upstream gave them. */
function withoutExtensions(definition: UpstreamDefinition): UpstreamDefinition {
  return {
    ...{ ...definition, writes: {}, sharesPrivate: false },
    ...{ urlMembers: undefined, expected: undefined, linkedAs: undefined, clientProblem: undefined },
  };
}
