import { Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { OpenAPIObject } from '@nestjs/swagger';
import type { FastifyInstance } from 'fastify';
import { HttpCache, Loader, type RefreshReport } from '../cache';
import { currentTracer } from '../kernel/tracer';
import { ProblemFilter } from '../server/problem.filter';
import { retryAfterLimits } from './budget/limit-adapters';
import { RateBudget } from './budget/rate-budget';
import { CachedRequests } from './gateway/cached-requests';
import { Callers } from './gateway/callers';
import { GatewayOrigins } from './gateway/gateway-origins';
import { GatewayRules } from './gateway/gateway-rules';
import { storedTag } from './gateway/gateway-tags';
import { ALL_FIELDS, headerRules, type HeaderRules } from './gateway/header-rules';
import { mountGateway, type GatewayHost } from './gateway/mount-gateway';
import { GatewayResponses } from './gateway/gateway-responses';
import { Uploads } from './gateway/uploads';
import { clientOrigin, type ClientOrigin } from '../server/client-origin';
import { relayedCors } from '../server/edge-hooks';
import { documentedPaths } from './open-api';
import { closeAgents, openAgents, type Agents } from './sockets';
import type { UpstreamApi } from './upstream-api';
import { breakerOf } from './upstream-breaker';
import { UpstreamClient } from './upstream-client';
import type { UpstreamDefinition, UpstreamSettings } from './upstream-definition';
import { UpstreamFetcher } from './upstream-fetcher';
import type { UpstreamParts } from './upstream-parts';
import { addCallSpans } from './traced-calls';
import { UpstreamRelay } from './upstream-relay';
import { settingName, upstreamSettings } from './upstream-settings';
import { WebhookRoute } from './webhooks/webhook-route';

/** How long an answer may hold a permit while its client reads it, in milliseconds: slow readers must not hold them all. */
const MAX_BODY_MS = 2_000;
/** How long a response that can be validated is kept after it is stale. */
const RETAIN_MS = 86_400_000;
const POLL_MS = 100;
const MAX_UPLOADS_WAITING = 1_000;
const DEFAULT_HEADERS = { accept: 'application/json', 'user-agent': 'larder' };
/** 202: the work is still under way. 302, 307: an address that is short-lived. */
const NEVER_STORED = [202, 302, 307];

/**
 * One upstream, made of its definition and its settings: gateway, client, budget, breaker and webhooks.
 *
 * The invariant: there is one pool of sockets, one breaker, one budget and one cache for all of them.
 */
export class Upstream implements GatewayHost, OnModuleInit, OnApplicationShutdown {
  /** A tag of the definition as it is stored; `*` is everything that the upstream gave. */
  readonly tagOf = (tag: string): string => storedTag(this.definition, tag);
  readonly settings: UpstreamSettings;
  readonly title: string;
  readonly client: UpstreamClient;
  readonly api: UpstreamApi;
  readonly budget: RateBudget;
  readonly callers: Callers;
  readonly headerRules: HeaderRules;
  readonly cors: ReturnType<typeof relayedCors>;
  readonly requests: CachedRequests;
  readonly origins: GatewayOrigins;
  readonly httpCache: HttpCache;
  readonly responses: GatewayResponses;
  private readonly agents: Agents;

  constructor(
    readonly definition: UpstreamDefinition,
    readonly parts: UpstreamParts,
  ) {
    const { name, title = name, credentials: rules = {} } = definition;
    const { credentialSecret: secret, clock, upstreams } = parts;
    const settings = upstreamSettings(definition);
    const { baseUrl, isStrict, token, sharesToken } = settings;
    this.settings = settings;
    this.title = title;
    this.api = {
      ...{ name, baseUrl, limits: { ...upstreams.limits, ...definition.limits } },
      headers: definition.headers?.(settings) ?? DEFAULT_HEADERS,
      beside: new Map(Object.entries(definition.beside?.(baseUrl, settings) ?? {})),
    };
    this.headerRules = isStrict
      ? ALL_FIELDS
      : headerRules(settings.forwardHeaders, definition.forwards, rules.headers, definition.forwardsWithWrites);
    const forwards = (field: string): boolean => this.headerRules.forwards(field, true);
    this.callers = new Callers({ title, rules, secret, token, sharesToken, isStrict, forwards });
    this.cors = relayedCors(settings.corsOrigins, isStrict);
    this.budget = this.openBudget();
    this.requests = this.openRequests();
    this.httpCache = this.openCache();
    this.responses = this.openResponses();
    this.agents = openAgents(this.api.limits.connectTimeoutMs);
    const breaker = breakerOf(this.api);
    const relay = new UpstreamRelay(this.api, this.agents, () => clock.now(), isStrict ? undefined : breaker);
    this.origins = this.openOrigins(relay);
    const fetcher = new UpstreamFetcher(this.api, this.agents, breaker);
    const tracer = currentTracer();
    if (tracer) addCallSpans(relay, fetcher, this.api, tracer);
    this.client = this.openClient(fetcher);
    parts.budgets.add(this.budget);
    if (definition.synonyms) parts.cache.addSynonyms((tag) => this.synonymsOf(tag));
    parts.breakers.add(name, () => breaker.state);
  }

  /** Its routes that stand beside Nest's router, as the API documentation shows them. */
  get paths(): OpenAPIObject['paths'] {
    const { definition, title, settings } = this;
    return documentedPaths({
      ...{ name: definition.name, title, prefix: settings.routePrefix, documented: definition.openApi ?? {} },
      webhook: settings.webhookSecrets.length > 0 ? definition.webhook : undefined,
    });
  }

  onModuleInit(): void {
    const { settings, parts, definition } = this;
    const { httpAdapter } = parts.adapterHost as Partial<UpstreamParts['adapterHost']>;
    if (!httpAdapter) return; // a process without HTTP: the client alone
    this.warnOfSharing();
    this.warnOfUnchangedBodies();
    mountGateway(this, httpAdapter);
    if (!definition.webhook || settings.webhookSecrets.length === 0) return; // 404: no delivery could be verified
    const problems = ProblemFilter.of(httpAdapter);
    const { cache, store, webhooks: counts, clock } = parts;
    new WebhookRoute(
      {
        ...{ upstream: definition.name, title: this.title, webhook: definition.webhook },
        ...{ secrets: settings.webhookSecrets, tagOf: this.tagOf },
      },
      {
        ...{ cache, store, counts, clock, settling: this.settling },
        onError: (error, request, reply) => problems.send(error, request, reply),
      },
    ).mount(httpAdapter.getInstance<FastifyInstance>());
  }

  onApplicationShutdown(): void {
    closeAgents(this.agents);
  }

  /**
   * After an event or a write its tags settle: for a while their responses are stored for a second at most, because the API may still
   * return the old one.
   */
  get settling(): { readonly begin: (tags: readonly string[]) => Promise<void> } {
    return { begin: (tags) => this.parts.settling.begin(tags, this.settings.settleMs) };
  }

  /** As stored, of a tag as stored. */
  private synonymsOf(tag: string): readonly string[] {
    const prefix = this.tagOf('');
    if (!tag.startsWith(prefix)) return [];
    return (this.definition.synonyms?.(tag.slice(prefix.length)) ?? []).map(this.tagOf);
  }

  private openBudget(): RateBudget {
    const { parts, definition, settings } = this;
    const { timeoutMs } = this.api.limits;
    const { reserve, maxConcurrency, pointsPerMinute } = settings;
    const adapter = definition.rateLimit ?? retryAfterLimits();
    return new RateBudget(
      {
        ...{ upstream: definition.name, title: this.title, adapter, reserve, maxConcurrency, pointsPerMinute },
        ...{ deadlineMs: timeoutMs, bodyMs: Math.min(timeoutMs, MAX_BODY_MS) },
      },
      parts.store,
      parts.clock,
    );
  }

  private openRequests(): CachedRequests {
    const { definition, settings, tagOf, callers } = this;
    const { negativeTtlMs, staleIfErrorMs } = this.parts.caching;
    const { staleDespiteMustRevalidate } = definition;
    const defaults = { negativeTtlMs, defaultStaleIfErrorMs: staleIfErrorMs, staleDespiteMustRevalidate };
    return new CachedRequests({
      ...{ upstream: definition.name, tagOf },
      storesPrivate: callers.shared !== undefined || (definition.sharesPrivate === true && !settings.isStrict),
      tagsOf: (path) => (definition.tags?.(path) ?? []).map(tagOf),
      rules: settings.isStrict ? undefined : new GatewayRules(settings.rules, defaults, definition.foldsCase),
    });
  }

  private openOrigins(relay: UpstreamRelay): GatewayOrigins {
    const { api, headerRules: rules, callers, budget, settings } = this;
    const { partitions, queryCredentials, shared, anonymous, ownId } = callers;
    return new GatewayOrigins(
      {
        ...{ api, headerRules: rules, partitions, queryCredentials, sharedCredentials: shared },
        budget: settings.isStrict ? undefined : budget,
        anonymousCredential: shared === undefined ? anonymous.id : ownId,
        uploads: settings.isStrict ? undefined : this.openUploads(),
      },
      relay,
    );
  }

  private openResponses(): GatewayResponses {
    const { api, callers, cors, definition, settings, parts, budget } = this;
    const limits = {
      names: new Set(budget.fieldNames),
      fieldsOf: (key: string, path: string) =>
        budget.fieldsOf({ credential: this.credentialOfKey(key), method: 'GET', path }),
    };
    const aliases = Object.entries(definition.aliases?.(settings.routePrefix, settings) ?? {});
    const roots = aliases.flatMap(([url, path]) => (url.endsWith('/*') && path === '' ? [url.slice(0, -2)] : []));
    return new GatewayResponses(
      {
        limits: settings.isStrict ? undefined : limits,
        ...{ api, prefix: settings.routePrefix, originFor: originOf(parts.service) },
        ...{ partitions: callers.partitions, keepsCors: cors.allowsAny, roots },
        urlMembers: settings.rewritesBodies && !settings.isStrict ? definition.urlMembers : undefined,
        expected: (path) => (settings.isStrict ? undefined : definition.expected?.(path, settings)),
        linkedAs: (path, asked) => (settings.isStrict ? undefined : definition.linkedAs?.(path, asked)) ?? path,
      },
      parts.prepared,
    );
  }

  /** The credential whose limits a request for the key's entry counts against. */
  private credentialOfKey(key: string): string {
    const { shared, anonymous, ownId } = this.callers;
    const id = this.requests.partitionOf(key);
    return id === anonymous.id && shared !== undefined ? ownId : id;
  }

  private openClient(fetcher: UpstreamFetcher): UpstreamClient {
    const { api, title, callers, requests, origins, headerRules: rules, httpCache, responses, budget, parts } = this;
    const { cache, resources, events, caching } = parts;
    return new UpstreamClient({
      ...{ api, title, callers, requests, origins, headerRules: rules, httpCache, responses, budget },
      ...{ fetcher, cache, resources, events, maxAgeMs: caching.ttlMs },
    });
  }

  private openCache(): HttpCache {
    const { parts, settings, headerRules: rules, definition } = this;
    const { store, clock, caching, events } = parts;
    const { staleAfterMs, maxEntryBytes, loadTimeoutMs } = caching;
    const { isStrict } = settings;
    const options = {
      ...{ staleAfterMs, maxEntryBytes, retainForRevalidationMs: RETAIN_MS, selecting: rules.selecting },
      deadlineMs: isStrict ? loadTimeoutMs : caching.deadlineMs,
      onRefreshed: (report: RefreshReport) => events.refreshed(report),
    };
    if (!isStrict) {
      const neverStored = new Set(definition.neverStored ?? NEVER_STORED);
      return new HttpCache(store, parts.loader, clock, {
        ...{ ...options, neverStored },
        servesStaleDespiteDirectives: caching.servesStaleDespiteDirectives,
      });
    }
    const loader = new Loader(store, clock, { ...caching, pollMs: POLL_MS }); // nothing settles
    return new HttpCache(store, loader, clock, {
      ...{ ...options, keepsEveryField: true, pausesAfterFailures: false },
      ...{ servesStaleDespiteDirectives: true, servesStaleWhenDisconnected: true },
    });
  }

  /** A quarter of the permits at most is for bodies that take long to come. */
  private openUploads(): Uploads {
    const maxConcurrency = Math.max(1, Math.floor(this.settings.maxConcurrency / 4));
    return new Uploads({ maxConcurrency, maxWaiting: MAX_UPLOADS_WAITING, deadlineMs: this.api.limits.timeoutMs });
  }

  private warnOfUnchangedBodies(): void {
    const { rewritesBodies, isStrict } = this.settings;
    const name = settingName(this.definition, 'REWRITE_BODIES');
    if (rewritesBodies && isStrict) new Logger(this.title).warn(`${name} has no effect in the strict profile (rfc).`);
  }

  private warnOfSharing(): void {
    const { routePrefix, corsOrigins } = this.settings;
    if (this.callers.shared === undefined) return;
    const [share, token] = ['SHARE_TOKEN', 'TOKEN'].map((setting) => settingName(this.definition, setting));
    const pages = corsOrigins === '*' ? ', and so does any web page they visit (CORS_ALLOWED_ORIGINS=*)' : '';
    new Logger(this.title).warn(
      `${share} is on: every client that reaches ${routePrefix || '/'} without its own token sees everything that ${token} may see${pages}.`,
    );
  }
}

/** `PUBLIC_URL`, else as each client names it. */
function originOf({ publicUrl, trustProxy }: UpstreamParts['service']): ClientOrigin {
  return publicUrl === undefined ? clientOrigin(trustProxy) : () => publicUrl;
}
