import { Inject, Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance } from 'fastify';
import {
  CacheEvents,
  CacheStore,
  FastPath,
  HttpCache,
  Loader,
  PreparedResponses,
  ResponseCache,
  SettlingTags,
  type RefreshReport,
} from '../cache';
import { cacheConfig, githubConfig, serviceConfig, upstreamConfig } from '../config/slices';
import { edgeFieldsFor, RELAYED, relayedCors, type Preflight } from '../http/edge-hooks';
import { ProblemFilter } from '../http/problem.filter';
import { Clock } from '../kernel/clock';
import {
  ALL_FIELDS,
  ANONYMOUS,
  Gateway,
  GatewayFastWay,
  GatewayResponses,
  GatewayRules,
  headerRules,
  QueryCredentials,
  toSend,
  type CredentialsToSend,
  RateBudget,
  UpstreamBreaker,
  Uploads,
  UpstreamRelay,
  type BreakerState,
} from '../upstream';
import { githubCredentials } from './github-credentials';
import { GithubCredentials } from './github.credentials';
import { linkedByName } from './github-links';
import { githubTags } from './github-tags';
import { answerTagsOf } from './github-write-answers';
import { tokensEnded } from './github-write-bodies';
import { changesCaller, githubTagsOfWrite } from './github-writes';
import { ENTERPRISE_PATH, enterpriseGraphql, githubUpstream } from './github.upstream';

/** GitHub's whole REST API behind the cache, at `GITHUB_ROUTE_PREFIX`. */
@Injectable()
export class GithubGateway implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger('Github');
  private readonly relay: UpstreamRelay;

  constructor(
    private readonly adapterHost: HttpAdapterHost,
    private readonly store: CacheStore,
    private readonly loader: Loader,
    private readonly cache: ResponseCache,
    private readonly settling: SettlingTags,
    private readonly events: CacheEvents,
    private readonly prepared: PreparedResponses,
    private readonly fastPath: FastPath,
    private readonly clock: Clock,
    private readonly credentials: GithubCredentials,
    private readonly budget: RateBudget,
    breaker: UpstreamBreaker,
    @Inject(githubConfig.KEY) private readonly github: ConfigType<typeof githubConfig>,
    @Inject(upstreamConfig.KEY) private readonly limits: ConfigType<typeof upstreamConfig>,
    @Inject(cacheConfig.KEY) private readonly settings: ConfigType<typeof cacheConfig>,
    @Inject(serviceConfig.KEY) private readonly service: ConfigType<typeof serviceConfig>,
  ) {
    this.relay = new UpstreamRelay(
      githubUpstream(github, limits),
      () => clock.now(),
      github.isStrict ? undefined : breaker,
    );
  }

  onModuleInit(): void {
    const { httpAdapter } = this.adapterHost;
    const { github, settings } = this;
    const rules = github.isStrict ? ALL_FIELDS : headerRules(github.forwardHeaders, ['x-github-api-version']);
    const { staleAfterMs, maxEntryBytes } = settings;
    const deadlineMs = github.isStrict ? settings.loadTimeoutMs : settings.deadlineMs;
    const loader = github.isStrict ? this.strictLoader() : this.loader;
    const onRefreshed = (report: RefreshReport): void => this.events.refreshed(report);
    const limits = {
      deadlineMs,
      staleAfterMs,
      maxEntryBytes,
      keepMs: KEEP_MS,
      selecting: rules.selecting,
      onRefreshed,
    };
    const problems = ProblemFilter.of(httpAdapter);
    const fastify = httpAdapter.getInstance<FastifyInstance>();
    const definition = githubUpstream(github, this.limits);
    const partitions = github.isStrict ? undefined : this.credentials.partitions;
    const cors = relayedCors(github.corsOrigins, github.isStrict);
    const edgeFor = (origin: string | undefined): readonly string[] =>
      Object.entries(edgeFieldsFor(cors, origin)).flat();
    const httpCache = new HttpCache(
      this.store,
      loader,
      this.clock,
      github.isStrict ? { ...limits, keepsEveryField: true } : { ...limits, neverStored: NEVER_STORED },
    );
    const { publicUrl } = this.service;
    const { events, clock } = this;
    const gateway = {
      ...{ definition, prefix: github.routePrefix, publicUrl, partitions },
      keepsCors: cors.allowsAny,
      linkedAs: github.isStrict ? (path: string) => path : linkedByName,
    };
    const { server } = fastify;
    const head = { edge: edgeFor(undefined), server };
    const responses = new GatewayResponses(gateway, this.prepared);
    const fastWay = new GatewayFastWay(
      { ...gateway, headerRules: rules, head, isByOrigin: cors.isByOrigin },
      responses,
      this.fastPath,
    );
    new Gateway(
      {
        ...gateway,
        aliases: new Map(
          github.routePrefix.endsWith(ENTERPRISE_PATH) ? [[enterpriseGraphql(github.routePrefix), '/graphql']] : [],
        ),
        headerRules: rules,
        anonymousPartition: this.credentials.partitions.anonymousId,
        sharedCredentials: this.sharedCredentials(),
        queryCredentials: new QueryCredentials(githubCredentials, 'GitHub'),
        tagsOf: githubTags,
        purgesAfterFailedWrites: !github.isStrict,
        tagsOfWrite: github.isStrict ? () => [] : githubTagsOfWrite,
        answerTagsOf: github.isStrict ? () => undefined : answerTagsOf,
        tokensEnded: github.isStrict ? () => [] : (...write) => tokensEnded(...write) ?? [],
        changesCaller: github.isStrict ? () => false : changesCaller,
        rules: github.isStrict ? undefined : this.rules(),
        budget: github.isStrict ? undefined : this.budget,
        anonymousCredential: github.sharesToken ? this.credentials.own : ANONYMOUS,
        headFor: cors.isByOrigin ? (origin) => ({ edge: edgeFor(origin), server }) : () => head,
        uploads: github.isStrict ? undefined : this.uploads(),
        routeConfig: { preflight: this.preflight(), cors },
      },
      {
        ...{ httpCache, responses, fastWay, events, clock, cache: this.cache, relay: this.relay },
        settling: github.isStrict ? undefined : this.settling,
        onUnreadable: ({ message }) => this.logger.warn(`${message} Removed, counts as a miss.`),
        onError: (error, request, reply) => problems.send(error, request, reply),
      },
    ).mount(fastify);
  }

  get breakerState(): BreakerState {
    return this.relay.breakerState;
  }

  onApplicationShutdown(): void {
    this.relay.close();
  }

  /** Of the strict profile the origin's own: the RFCs know no CORS. */
  private preflight(): Preflight | 'passed' {
    const { isStrict, forwardHeaders } = this.github;
    return isStrict ? 'passed' : { ...RELAYED, fields: [...RELAYED.fields, ...forwardHeaders] };
  }

  private rules(): GatewayRules {
    const { negativeTtlMs, sieMs } = this.settings;
    return new GatewayRules(this.github.rules, { negativeTtlMs, defaultSieMs: sieMs }, true);
  }

  /** A quarter of the places at most is for bodies that take long to come. */
  private uploads(): Uploads {
    const maxConcurrency = Math.max(1, Math.floor(this.github.maxConcurrency / 4));
    return new Uploads({ maxConcurrency, maxWaiting: MOST_UPLOADS_WAITING, deadlineMs: this.limits.timeoutMs });
  }

  private strictLoader(): Loader {
    return new Loader(this.store, this.clock, { ...this.settings, pollMs: POLL_MS, pausesAfterFailures: false });
  }

  private sharedCredentials(): CredentialsToSend | undefined {
    const { token, sharesToken, routePrefix, corsOrigins } = this.github;
    if (!sharesToken || token === undefined) return undefined;
    this.logger.warn(
      `GITHUB_SHARE_TOKEN is on: whoever reaches ${routePrefix} without a token of their own sees what GITHUB_TOKEN may see${corsOrigins === '*' ? ', and so does any web page they visit (CORS_ALLOWED_ORIGINS=*)' : ''}.`,
    );
    return toSend(this.credentials.partitions.credentialOf(token));
  }
}

/** How long what can be validated is kept after it is stale: a 304 costs nothing of the rate limit. */
const KEEP_MS = 86_400_000;
const POLL_MS = 100;
const MOST_UPLOADS_WAITING = 1_000;
/** 202: statistics are still being computed. 302, 307: an archive's address, which is short-lived. */
const NEVER_STORED: ReadonlySet<number> = new Set([202, 302, 307]);
