import { Inject, Injectable, type ExecutionContext, type OnModuleInit } from '@nestjs/common';
import { ApplicationConfig, HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import { Clock } from '../kernel/clock';
import { CacheEvents } from './cache-events';
import type { RouteRule } from './cache-rule.decorator';
import type { CachePolicy } from './core/http/cache-policy';
import type { StoredAnswer } from './core/http/exchange';
import { HttpCache } from './core/http/http-cache';
import { NOT_MODIFIED, WHOLE } from './core/http/response-form';
import { inOnePiece, textBytes } from './core/resident-entry';
import { hasNoFields } from './earlier-fields';
import type { HeadContext } from './fast-path/prepared-response';
import { FastPath } from './fast-path/fast-path';
import { hasRoomFor, writeStored, type Exchange } from './fast-path/response-writer';
import { forHitPointers } from './memory-shares';
import { obstacleIn, unkeptField } from './nest-pipeline';
import {
  RESPONSE_CACHE_OPTIONS,
  type FastPathGatePort,
  type ResponseCacheModuleOptions,
} from './response-cache.options';
import { isKeyed, projectionOf, type KeyShape } from './route-key';
import { RouteRequest } from './route-request';
import type { AppliedRule } from './route-rule.reader';
import { isHeld, RouteResponses } from './route-responses';

/** The objects that one row is made of, beside its texts. */
const ROW_BYTES = 250;

/** A URL whose answers are told by it alone. */
interface KnownUrl {
  readonly rule: RouteRule;
  readonly policy: CachePolicy;
  readonly key: string;
  readonly projection: string | undefined;
  /** Whether the rule names a key; if not, it speaks for no caller with credentials. */
  readonly isKeyed: boolean;
  /** Until when what was found is fresh, in milliseconds since the epoch. */
  readonly freshUntil: number;
}

type RawRequest = FastifyRequest['raw'];
type RawResponse = FastifyReply['raw'];

interface LaneRoute {
  readonly rule: RouteRule;
  readonly shape: KeyShape;
  readonly policy: CachePolicy;
}

/**
 * Serves fresh hits of routes in front of Fastify, by URLs that the interceptor has served before; everything else goes on to it.
 *
 * Its one invariant: the same answer to the byte as by the interceptor. It decides nothing: it asks the core for a hit that
 * needs no thought, and knows only routes that the interceptor has served and that have nothing else in front of the handler
 * (no guard, no other interceptor) that a hit by this way would skip. What else the server has in front of it, the front door
 * knows: a server without one has no lane.
 *
 * A URL that has been answered so is answered at the door from then on, before Fastify looks at the request: as long as the
 * door is open, and where the rule's key reads nothing but the URL.
 */
@Injectable()
export class ExpressLane implements OnModuleInit {
  /**
   * By Fastify's `config`, of which each route has its own: one URL may have several routes, told apart by method, version or
   * host. Null for those that are not the lane's.
   */
  private readonly routes = new WeakMap<object, LaneRoute | null>();
  /** Routes that set fields on each of their responses which are not stored. */
  private readonly withOwnFields = new WeakSet<object>();
  /** By `nameOf`; the least recently used are forgotten. */
  private readonly urls: LRUCache<string, KnownUrl>;
  /** Whether some URLs are known together with a host. */
  private hasHosts = false;
  private gate: FastPathGatePort | undefined;
  private context: HeadContext;

  constructor(
    private readonly cache: HttpCache,
    private readonly clock: Clock,
    private readonly responses: RouteResponses,
    private readonly fastPath: FastPath,
    private readonly events: CacheEvents,
    private readonly config: ApplicationConfig,
    private readonly adapterHost: HttpAdapterHost,
    @Inject(RESPONSE_CACHE_OPTIONS) private readonly options: ResponseCacheModuleOptions,
  ) {
    this.urls = new LRUCache<string, KnownUrl>({
      maxSize: forHitPointers(options.l1.maxBytes),
      sizeCalculation: ({ key, projection = '' }, url) =>
        ROW_BYTES + textBytes(url) + textBytes(key) + textBytes(projection),
    });
    this.context = {
      edge: Object.entries(options.edgeFields ?? {}).flat(),
      server: { keepAliveTimeout: 0, maxRequestsPerSocket: 0 },
    };
  }

  onModuleInit(): void {
    const { httpAdapter } = this.adapterHost;
    const { server } = httpAdapter.getInstance<FastifyInstance>();
    this.context = { ...this.context, server };
    this.gate = this.options.fastPathGate?.(httpAdapter);
    if (!this.options.laneEnabled) return;
    this.gate?.serveWith((request, response) => this.answersAtDoor(request, response));
    this.gate?.onChanged(() => this.urls.clear());
  }

  /** Is told of each route that the interceptor serves, and takes those it may answer. */
  learn(context: ExecutionContext, { rule, way, policy }: AppliedRule, interceptor: unknown): void {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const { config } = request.routeOptions;
    if (this.routes.has(config)) return;
    if (unkeptField(context) !== undefined) this.withOwnFields.add(config);
    const obstacle = this.options.laneEnabled ? obstacleIn(context, interceptor, this.config) : undefined;
    if (obstacle !== undefined && rule.lane !== false) this.fastPath.reportOff(request, obstacle);
    const isOurs = rule.lane !== false && obstacle === undefined;
    this.routes.set(config, isOurs ? { rule, shape: way.shape, policy } : null);
  }

  /** Writes a hit for the interceptor, and tells of it, where no hook nor the route itself has a word in the answer. */
  writes(request: FastifyRequest, reply: FastifyReply, key: string, answer: StoredAnswer, upstream: string): boolean {
    if (answer.entry.status >= 300 || !this.gate || this.withOwnFields.has(request.routeOptions.config)) return false;
    if (this.options.laneEnabled) this.remember(request, key, answer);
    if (this.gate.sendingObstacle(request) !== undefined || !hasNoFields(reply)) return false;
    const exchange = { request: request.raw, response: reply.raw, id: request.id };
    return this.send(exchange, key, upstream, answer, reply.elapsedTime, () => void reply.hijack());
  }

  private remember(request: FastifyRequest, key: string, answer: StoredAnswer): void {
    const { method, url = '' } = request.raw;
    const route = this.routes.get(request.routeOptions.config);
    if (!route || this.fastPath.isOff(request) || (method !== 'GET' && method !== 'HEAD')) return;
    const { rule, shape, policy } = route;
    if (!isByUrl(rule, shape) || isVaried(answer)) return;
    const host = isKeyed(rule) ? undefined : hostOf(request.raw);
    if (!isKeyed(rule)) {
      if (host === undefined) return;
      this.hasHosts = true;
    }
    const { freshUntil } = answer.entry;
    this.urls.set(inOnePiece(nameOf(method, url, host)), {
      ...{ rule, policy, key, projection: projectionOf(rule, request), isKeyed: isKeyed(rule) },
      freshUntil,
    });
  }

  /** Serves a request whose URL has been served before, in front of Fastify. */
  private answersAtDoor(request: RawRequest, response: RawResponse): boolean | Promise<boolean> {
    const startedAt = performance.now();
    const { method, url = '' } = request;
    if (method !== 'GET' && method !== 'HEAD') return false;
    let name = nameOf(method, url);
    let known = this.urls.get(name);
    if (known === undefined && this.hasHosts) {
      const host = hostOf(request);
      if (host === undefined) return false;
      name = nameOf(method, url, host);
      known = this.urls.get(name);
    }
    if (known === undefined) return false;
    const { headers } = request;
    if (!known.isKeyed && (headers.authorization !== undefined || headers.cookie !== undefined)) return false;
    const asked = new RouteRequest({ raw: request }, known);
    if (asked.hasDirectives) return false;
    const answer = this.cache.peek(asked);
    if (answer) return !isVaried(answer) && this.sendAtDoor(request, response, startedAt, known, answer);
    if (this.clock.now() >= known.freshUntil) return false;
    return this.find(request, response, startedAt, name, known);
  }

  private async find(
    request: RawRequest,
    response: RawResponse,
    startedAt: number,
    name: string,
    known: KnownUrl,
  ): Promise<boolean> {
    const answer = await this.cache.findHit(new RouteRequest({ raw: request }, known));
    if (answer && !isVaried(answer)) return this.sendAtDoor(request, response, startedAt, known, answer);
    this.urls.delete(name); // so that the next one does not look here in vain
    return false;
  }

  private sendAtDoor(
    request: RawRequest,
    response: RawResponse,
    startedAt: number,
    { key, rule: { upstream } }: KnownUrl,
    answer: StoredAnswer,
  ): boolean {
    if (answer.entry.status >= 300) return false;
    const id = this.options.requestId?.(request) ?? '';
    return this.send({ request, response, id }, key, upstream, answer, performance.now() - startedAt);
  }

  private send(
    exchange: Exchange,
    key: string,
    upstream: string,
    answer: StoredAnswer,
    durationMs: number,
    beforeWriting?: () => void,
  ): boolean {
    const { headers, method } = exchange.request;
    const prepared = this.responses.getIfReady(answer.entry, key, headers['accept-encoding']?.toString());
    if (!prepared?.isWritable) return false;
    const isNotModified = isHeld(prepared, headers['if-none-match'], headers['if-modified-since']);
    const form = isNotModified ? NOT_MODIFIED : WHOLE;
    if (method !== 'HEAD' && !hasRoomFor({ prepared, form })) return false;
    beforeWriting?.();
    const { context } = this;
    void writeStored(exchange, { prepared, answer, form, context, now: this.clock.now(), durationMs });
    const { outcome, tier, entry } = answer;
    this.events.publish({ outcome, tier, upstream, key, status: entry.status, durationMs, requestId: exchange.id });
    return true;
  }
}

/**
 * What a request is known by that nothing but method and URL leads to its route, and the host where its key has that. No URL or host has
 * a blank in it.
 */
function nameOf(method: 'GET' | 'HEAD', url: string, host?: string): string {
  const name = method === 'GET' ? url : `HEAD ${url}`;
  return host === undefined ? name : `${host} ${name}`;
}

/** The host that the key has, where nothing but the `Host` field says it: a proxy's word for it is Fastify's to weigh. */
function hostOf({ headers }: RawRequest): string | undefined {
  return headers['x-forwarded-host'] === undefined ? (headers.host ?? '') : undefined;
}

/** Whether more than its URL selects it: the fields of the request count then. */
function isVaried({ entry }: StoredAnswer): boolean {
  return entry.headers.some(([name]) => name === 'vary');
}

function isByUrl(rule: RouteRule, { handler }: KeyShape): boolean {
  if (rule.keyBy !== undefined || handler !== undefined) return false; // a URL with several handlers leads to none of them
  return !isKeyed(rule) || rule.byUrl === true;
}
