import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import { BoundedMap } from '../../kernel/bounded-map';
import { isOfFastify } from './client-reply';
import type { CacheEntry, HeaderList } from '../model/cache-entry';
import { shouldRefreshEarly } from '../law/freshness';
import type { StoredAnswer } from '../model/exchange';
import type { ResponseForm } from '../law/response-form';
import { textBytes } from '../store/memory/packed-fields';
import { inOnePiece } from '../store/memory/resident-entry';
import { FastPath, type EntryPoint } from '../fast-path/fast-path';
import type { HeadContext } from '../fast-path/prepared-response';
import { Fingerprints, type RequestFingerprint } from '../fast-path/request-fingerprint';
import { forHitPointers } from '../store/memory/memory-shares';
import { RESPONSE_CACHE_OPTIONS, type ResponseCacheModuleOptions } from '../response-cache.options';
import { isKeyed } from './route-key';
import { routeForm, RouteResponses, type RouteResponse } from './route-responses';
import type { AppliedRule, CachedRoute } from './route-rule.reader';

type RawRequest = FastifyRequest['raw'];

/** How requests for a URL are distinguished. */
interface UrlShape {
  readonly isKeyed: boolean;
  readonly fingerprints: Fingerprints;
}

/** The overhead of objects in one row, in addition to the texts. */
const ROW_BYTES = 150;

/**
 * Cached routes on the fast path.
 *
 * Its one invariant: a URL is known only once the interceptor has served it on a route without other code in front of the handler, and
 * with a rule that reads only the URL. The response's `Vary` is part of the fingerprint.
 */
@Injectable()
export class RouteEntryPoint implements EntryPoint<CachedRoute>, OnModuleInit {
  context: HeadContext;
  /** By Fastify's `config`, of which each route has its own: one URL may have several, for methods. Null for routes without a fast path. */
  private readonly routes = new WeakMap<object, CachedRoute | null>();
  /** By method, URL and, for rules without a key, host. */
  private readonly urls: LRUCache<string, UrlShape>;
  /** By the fields that select a response. */
  private readonly shapes = new BoundedMap<string, UrlShape>(500);
  /** Whether some URLs are known together with a host. */
  private hasHosts = false;

  constructor(
    private readonly fastPath: FastPath,
    private readonly responses: RouteResponses,
    private readonly adapterHost: HttpAdapterHost,
    @Inject(RESPONSE_CACHE_OPTIONS) { l1, edgeFields = {} }: ResponseCacheModuleOptions,
  ) {
    this.urls = new LRUCache<string, UrlShape>({
      maxSize: forHitPointers(l1.maxBytes),
      sizeCalculation: (_shape, name) => ROW_BYTES + textBytes(name),
    });
    this.context = {
      edge: Object.entries(edgeFields).flat(),
      server: { keepAliveTimeout: 0, maxRequestsPerSocket: 0 },
    };
  }

  onModuleInit(): void {
    const { httpAdapter } = this.adapterHost as Partial<HttpAdapterHost>;
    if (!httpAdapter) return; // a process without HTTP
    const { server } = httpAdapter.getInstance<FastifyInstance>();
    this.context = { ...this.context, server };
    this.fastPath.add(this);
  }

  get bytes(): number {
    return this.urls.calculatedSize;
  }

  upstreamOf({ rule }: CachedRoute): string {
    return rule.upstream;
  }

  fingerprint(request: RawRequest): RequestFingerprint | undefined {
    let name = nameOf(request);
    let shape = this.urls.get(name);
    if (shape === undefined && this.hasHosts) {
      const host = hostOf(request);
      if (host === undefined) return undefined;
      name = nameOf(request, host);
      shape = this.urls.get(name);
    }
    if (shape === undefined) return undefined;
    const { authorization, cookie } = request.headers;
    if (!shape.isKeyed && (authorization !== undefined || cookie !== undefined)) return undefined;
    return shape.fingerprints.of(request, name);
  }

  isUsable(entry: CacheEntry, now: number, { policy }: CachedRoute): boolean {
    const { earlyRefreshBeta: beta = 0 } = policy;
    // Uniform in (0, 1]: the logarithm of zero is no number.
    return entry.status < 300 && !(beta > 0 && shouldRefreshEarly(entry, now, beta, 1 - Math.random()));
  }

  prepare(entry: CacheEntry, key: string, { headers }: RawRequest): RouteResponse | Promise<RouteResponse> {
    return this.responses.prepare(entry, key, headers['accept-encoding']?.toString());
  }

  form({ method }: RawRequest, asked: HeaderList, prepared: RouteResponse): ResponseForm {
    return routeForm(method, asked, prepared);
  }

  /** Remembers where the interceptor found a hit. */
  remember(request: FastifyRequest, { route, isOwnKey }: AppliedRule, { pointer, entry }: StoredAnswer): void {
    if (!isOfFastify(request)) return;
    const { config } = request.routeOptions;
    let known = this.routes.get(config);
    if (known === undefined) {
      known = this.isFast(request, route) && isOwnKey ? route : null;
      this.routes.set(config, known);
    }
    if (!known || !pointer || entry.status >= 300 || this.fastPath.isOff(request)) return;
    const isKeyedUrl = isKeyed(route.rule);
    const host = isKeyedUrl ? undefined : hostOf(request.raw);
    if (!isKeyedUrl) {
      if (host === undefined) return;
      this.hasHosts = true;
    }
    this.urls.set(inOnePiece(nameOf(request.raw, host)), this.shapeFor(isKeyedUrl, pointer.selectedBy));
    this.fastPath.remember(this, request, pointer, route);
  }

  private isFast(request: FastifyRequest, { rule, nest, keys }: CachedRoute): boolean {
    if (rule.fastPath === false || !this.fastPath.isOn) return false;
    const obstacle = nest.obstacle();
    if (obstacle !== undefined) this.fastPath.reportOff(request, obstacle);
    return obstacle === undefined && keys.isByUrl;
  }

  private shapeFor(isKeyedUrl: boolean, selectedBy: readonly string[]): UrlShape {
    return this.shapes.getOrMake(`${isKeyedUrl} ${selectedBy.join()}`, () => {
      const selecting: ReadonlySet<string> = new Set(selectedBy);
      const fingerprints = new Fingerprints((field) => (selecting.has(field) ? 'selecting' : 'none'));
      return { isKeyed: isKeyedUrl, fingerprints };
    });
  }
}

/** No method, URL or host has a blank in it. */
function nameOf({ method = '', url = '' }: RawRequest, host?: string): string {
  return host === undefined ? `${method} ${url}` : `${host} ${method} ${url}`;
}

/** The host in the key, if only the `Host` field determines it: Fastify decides about the fields of proxies. */
function hostOf({ headers }: RawRequest): string | undefined {
  return headers['x-forwarded-host'] === undefined ? (headers.host ?? '') : undefined;
}
