import { Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { OpenAPIObject } from '@nestjs/swagger';
import { AppError } from '../kernel/app-error';
import { currentTracer } from '../kernel/tracer';
import type { RateBudget } from './budget/rate-budget';
import { CachedRequests } from './gateway/cached-requests';
import { GatewayOrigins } from './gateway/gateway-origins';
import { mountGateway } from './gateway/mount-gateway';
import type { GatewayParts } from './gateway/gateway';
import { GatewayResponses } from './gateway/gateway-responses';
import { documentedPaths } from './open-api';
import { declareRawRoutes } from './raw-routes';
import { closeAgents, openAgents, type Agents } from './sockets';
import { addCallSpans } from './traced-calls';
import { breakerOf, type UpstreamBreaker } from './upstream-breaker';
import { UpstreamClient } from './upstream-client';
import { UpstreamContext } from './upstream-context';
import type { UpstreamDefinition, UpstreamSettings } from './upstream-definition';
import { UpstreamFetcher } from './upstream-fetcher';
import type { UpstreamParts } from './upstream-parts';
import { UpstreamRelay } from './upstream-relay';
import { settingName } from './upstream-settings';
import type { WebhookCounts } from './webhooks/webhook-counts';
import { webhookPath } from './webhooks/webhook-definition';
import { WebhookRoute } from './webhooks/webhook-route';

/**
 * One upstream, made of its definition and its settings: gateway, client, budget, breaker and webhooks.
 *
 * The invariant: there is one pool of sockets, one breaker, one budget and one cache for all of them.
 */
export class Upstream implements OnModuleInit, OnApplicationShutdown {
  readonly client: UpstreamClient;
  readonly settings: UpstreamSettings;
  readonly budget: RateBudget;
  readonly breaker: Pick<UpstreamBreaker, 'state'>;
  readonly deliveries: WebhookCounts;
  private readonly context: UpstreamContext;
  private readonly gateway: GatewayParts;
  private readonly agents: Agents;

  constructor(
    readonly definition: UpstreamDefinition,
    private readonly parts: UpstreamParts,
  ) {
    const context = new UpstreamContext(definition, parts);
    const { api, settings } = context;
    this.context = context;
    this.settings = settings;
    this.budget = context.budget;
    this.deliveries = context.deliveries;
    this.agents = openAgents(api.limits.connectTimeoutMs);
    const breaker = breakerOf(api);
    this.breaker = breaker;
    const now = (): number => parts.clock.now();
    const relay = new UpstreamRelay(api, this.agents, now, settings.isStrict ? undefined : breaker);
    const fetcher = new UpstreamFetcher(api, this.agents, breaker);
    const tracer = currentTracer();
    if (tracer) addCallSpans(relay, fetcher, api, tracer);
    const requests = new CachedRequests(context);
    const responses = new GatewayResponses(context, requests);
    this.gateway = { requests, responses, origins: new GatewayOrigins(context, relay) };
    this.client = new UpstreamClient(context, { ...this.gateway, fetcher });
    if (definition.synonyms) parts.cache.addSynonyms((tag) => this.synonymsOf(tag));
  }

  /** Its routes that stand beside Nest's router, as the API documentation shows them. */
  get paths(): OpenAPIObject['paths'] {
    const { definition, settings } = this;
    return documentedPaths({
      ...{ name: definition.name, title: this.context.title, prefix: settings.routePrefix },
      documented: definition.openApi ?? {},
      webhook: settings.webhookSecrets.length > 0 ? definition.webhook : undefined,
    });
  }

  onModuleInit(): void {
    const { settings, parts, definition, context } = this;
    const { httpAdapter } = parts.adapterHost as Partial<UpstreamParts['adapterHost']>;
    if (!httpAdapter) return; // a process without HTTP: the client alone
    this.warnOfSharing();
    this.warnOfUnchangedBodies();
    mountGateway(context, this.gateway, httpAdapter);
    if (!definition.webhook) return;
    if (settings.webhookSecrets.length > 0) new WebhookRoute(context, definition.webhook).mount(httpAdapter);
    else this.refuseDeliveries(httpAdapter);
  }

  onApplicationShutdown(): void {
    closeAgents(this.agents);
  }

  /** Without a secret no delivery could be verified. */
  private refuseDeliveries(adapter: UpstreamParts['adapterHost']['httpAdapter']): void {
    const variable = settingName(this.definition, 'WEBHOOK_SECRET');
    const detail = `Webhooks of ${this.context.title} are off. Set ${variable} to the secret of the webhook to receive them.`;
    declareRawRoutes(adapter, (scope) =>
      scope.post(webhookPath(this.definition.name), () => Promise.reject(new AppError('route-not-found', detail))),
    );
  }

  /** As stored, of a tag as stored. */
  private synonymsOf(tag: string): readonly string[] {
    const { tagOf } = this.context;
    const prefix = tagOf('');
    if (!tag.startsWith(prefix)) return [];
    return (this.definition.synonyms?.(tag.slice(prefix.length)) ?? []).map(tagOf);
  }

  private warnOfUnchangedBodies(): void {
    const { rewritesBodies, isStrict } = this.settings;
    const name = settingName(this.definition, 'REWRITE_BODIES');
    if (rewritesBodies && isStrict) this.warn(`${name} has no effect in the strict profile (rfc).`);
  }

  private warnOfSharing(): void {
    const { routePrefix, corsOrigins } = this.settings;
    if (this.context.callers.shared === undefined) return;
    const [share, token] = ['SHARE_TOKEN', 'TOKEN'].map((setting) => settingName(this.definition, setting));
    const pages = corsOrigins === '*' ? ', and so does any web page they visit (CORS_ALLOWED_ORIGINS=*)' : '';
    this.warn(
      `${share} is on: every client that reaches ${routePrefix || '/'} without its own token sees everything that ${token} may see${pages}.`,
    );
  }

  private warn(message: string): void {
    new Logger(this.context.title).warn(message);
  }
}
