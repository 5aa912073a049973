import { Inject, Injectable, type ExecutionContext, type OnModuleInit, type Type } from '@nestjs/common';
import { ApplicationConfig, HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Clock } from '../kernel/clock';
import { CacheEvents } from './cache-events';
import type { RouteRule } from './cache-rule.decorator';
import { ResponseCache } from './core/response-cache';
import { matchesIfNoneMatch } from './core/representation';
import { PreparedHits } from './prepared-hit';
import { RESPONSE_CACHE_OPTIONS, type ResponseCacheModuleOptions } from './response-cache.options';
import { keyOf } from './route-rule.reader';

// The names under which Nest keeps @UseGuards and @UseInterceptors (@nestjs/common, constants).
const GUARDS = '__guards__';
const INTERCEPTORS = '__interceptors__';

interface LaneRoute {
  readonly handler: unknown;
  readonly rule: RouteRule;
  readonly beta: number;
}

/**
 * Answers a fresh hit in memory from a hook in front of Nest's router, in one synchronous look-up; everything else goes on to
 * the interceptor.
 *
 * Its one invariant: the same answer to the byte as by the interceptor. It decides nothing: it asks the core for a hit that
 * needs no thought, and knows only routes that the interceptor has served and that have nothing else in front of the handler
 * (no guard, no other interceptor) that a hit by this way would skip.
 */
@Injectable()
export class ExpressLane implements OnModuleInit {
  private readonly routes = new Map<string, LaneRoute>();
  private readonly prepared = new PreparedHits();
  private readonly known = new WeakSet<object>();
  private readonly edge: readonly string[];

  constructor(
    private readonly cache: ResponseCache,
    private readonly clock: Clock,
    private readonly events: CacheEvents,
    private readonly config: ApplicationConfig,
    private readonly adapterHost: HttpAdapterHost,
    @Inject(RESPONSE_CACHE_OPTIONS) private readonly options: ResponseCacheModuleOptions,
  ) {
    this.edge = Object.entries(options.edgeFields ?? {}).flat();
  }

  onModuleInit(): void {
    if (!this.options.laneEnabled) return;
    const fastify = this.adapterHost.httpAdapter.getInstance<FastifyInstance>();
    fastify.addHook('onRequest', (request, reply, done) => {
      if (!this.answers(request, reply)) done();
    });
  }

  /** Is told of each route that the interceptor serves, and takes those it may answer. */
  learn(context: ExecutionContext, rule: RouteRule): void {
    const handler = context.getHandler();
    if (this.known.has(handler)) return;
    this.known.add(handler);
    const { url } = context.switchToHttp().getRequest<FastifyRequest>().routeOptions;
    if (url === undefined) return;
    const other = this.routes.get(url);
    // Two handlers under one URL are told apart by something that this hook does not look at: versions, hosts.
    if (rule.lane === false || other !== undefined || !this.hasNothingElse(context)) this.routes.delete(url);
    else this.routes.set(url, { handler, rule, beta: rule.earlyRefreshBeta ?? this.options.policy.earlyRefreshBeta });
  }

  private answers(request: FastifyRequest, reply: FastifyReply): boolean {
    const { method } = request.raw;
    if (method !== 'GET' && method !== 'HEAD') return false;
    const route = this.routes.get(request.routeOptions.url ?? '');
    if (route === undefined) return false;
    const key = keyOrNone(route.rule, request);
    if (key === undefined) return false;
    const answer = this.cache.peek(key, route.beta);
    if (answer === undefined || answer.entry.status >= 300) return false;
    this.send(request, reply, key, answer, route.rule.upstream);
    return true;
  }

  private send(
    request: FastifyRequest,
    reply: FastifyReply,
    key: string,
    answer: NonNullable<ReturnType<ResponseCache['peek']>>,
    upstream: string,
  ): void {
    const hit = this.prepared.of(answer, key);
    const condition = request.headers['if-none-match'];
    const isNotModified = condition !== undefined && matchesIfNoneMatch(condition, hit.etag);
    const head: string[] = [];
    const earlier = reply.getHeaders();
    for (const name in earlier) for (const value of [earlier[name]].flat()) head.push(name, String(value));
    for (let at = 0; at < hit.kept.length; at += 2) {
      if (!isNotModified || hit.kept[at] !== 'content-type') head.push(hit.kept[at] ?? '', hit.kept[at + 1] ?? '');
    }
    for (const text of hit.cacheFields(answer, this.clock.now())) head.push(text);
    head.push('etag', hit.etag, ...this.edge, 'x-request-id', request.id);
    const durationMs = reply.elapsedTime;
    head.push('x-response-time', durationMs.toFixed(3));
    if (!isNotModified) head.push('content-length', hit.contentLength);
    reply.hijack();
    const status = isNotModified ? 304 : hit.status;
    reply.raw.writeHead(status, head);
    if (isNotModified || request.raw.method === 'HEAD') reply.raw.end();
    else if (hit.text === undefined) reply.raw.end(hit.body);
    else reply.raw.end(hit.text, 'latin1');
    this.events.publish({ outcome: answer.outcome, tier: answer.tier, upstream, key, status: hit.status, durationMs });
  }

  private hasNothingElse(context: ExecutionContext): boolean {
    const targets: readonly [unknown, Type] = [context.getHandler(), context.getClass()];
    const on = (name: string): unknown[] =>
      targets.flatMap((target) => (Reflect.getMetadata(name, target as object) as unknown[] | undefined) ?? []);
    const { config } = this;
    const guards = [...config.getGlobalGuards(), ...config.getGlobalRequestGuards(), ...on(GUARDS)];
    const interceptors = [
      ...config.getGlobalInterceptors(),
      ...config.getGlobalRequestInterceptors(),
      ...on(INTERCEPTORS),
    ];
    return guards.length === 0 && interceptors.length === 1;
  }
}

/** A key that throws is a wrong request, and the interceptor's to answer. */
function keyOrNone(rule: RouteRule, request: FastifyRequest): string | undefined {
  try {
    return keyOf(rule, request);
  } catch {
    return undefined; // the interceptor asks again, and answers the error
  }
}
