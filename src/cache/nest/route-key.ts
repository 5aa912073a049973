import { RequestMethod, VersioningType, type VersioningOptions } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { createHash } from 'node:crypto';
import { digestOf, objectTextIn, UnusableArgumentsError } from '../values/method-key';
import { exactBytes, requestKey, toCacheKey } from '../model/cache-key';
import type { RouteRule } from './cache-rule.decorator';
import { rawRequestOf, targetOf } from './client-reply';
import type { NestRoute } from './nest-route';

/** A rule's key cannot distinguish requests: the request bypasses the cache. */
export class UnusableKeyError extends Error {
  /** @param why absent where the rule leaves the request out on purpose */
  constructor(readonly why?: string) {
    super(why ?? 'The rule gives no key.');
    this.name = 'UnusableKeyError';
  }
}

/**
 * The keys of a cached route's requests. Without a key of its rule's own it is the target URI (RFC 9111 §2: the method and the target
 * URI), which has the host in it, and what else Nest finds the handler by.
 */
export class RouteKeys {
  /** `GET` for a handler whose entries HEAD gets, too: of @Get(), and of @All() with a key; else undefined. */
  readonly method: 'GET' | undefined;
  /** Whether a key is found by the URL alone, and not by a handler of several that a URL may have. */
  readonly isByUrl: boolean;
  private readonly versioning: VersioningOptions | undefined;
  /** The handler by its name, where a URL may have several: versions that are not in it, constraints of Fastify's. */
  private readonly handler: string | undefined;

  /** @param isNamed whether a key leaves the method out */
  constructor(
    private readonly rule: RouteRule,
    private readonly route: NestRoute,
    isNamed: boolean,
  ) {
    const { method } = route;
    this.method = method === RequestMethod.GET || (method === RequestMethod.ALL && isNamed) ? 'GET' : undefined;
    const versioning = route.versioning();
    this.versioning = versioning?.type === VersioningType.URI ? undefined : versioning;
    this.handler = this.versioning || route.hasConstrainedNeighbours() ? handlerName(route) : undefined;
    this.isByUrl = !rule.keyBy && this.handler === undefined && (!isKeyed(rule) || rule.byUrl === true);
  }

  /** Without a key of its own a rule speaks for no caller: a request with credentials is not for a shared cache (RFC 9111 §3.5). */
  keyOf(request: FastifyRequest): string | undefined {
    const { rule, versioning, handler } = this;
    const { upstream } = rule;
    if (rule.resource) {
      const resource = textOfKey(rule.resource(request), 'resource');
      return resource === undefined ? undefined : toCacheKey(`${upstream}:${resource}`);
    }
    const caller = this.callerOf(request);
    if (rule.keyBy && caller === undefined) return undefined;
    if (rule.key) {
      const key = textOfKey(rule.key(request), 'key');
      const by = caller === undefined ? '' : `by=${caller}:`;
      return key === undefined ? undefined : toCacheKey(`${upstream}:${by}${key}${bodyIn(request)}`);
    }
    const { authorization, cookie } = request.headers;
    if (caller === undefined && (authorization !== undefined || cookie !== undefined)) return undefined;
    const version = versioning ? `;v=${encodeURIComponent(versionIn(request, versioning))}` : '';
    const by = caller === undefined ? '' : `;by=${caller}`;
    const to = handler === undefined ? '' : `;to=${handler}`;
    const method = this.method ?? request.method;
    return requestKey(`${upstream}:${method}${version}${to}${by}${bodyIn(request)}`, targetOf(request));
  }

  /** The key of `@CacheKey`: unchanged, except for the part that distinguishes callers. */
  namedKey(name: string, request: FastifyRequest): string | undefined {
    const key = `${name}${bodyIn(request)}`;
    if (!this.rule.keyBy) return toCacheKey(key);
    const caller = this.callerOf(request);
    return caller === undefined ? undefined : toCacheKey(`${key};by=${caller}`);
  }

  /** The name of the projection of a resource that the response is. @throws UnusableKeyError where the rule gives none */
  projectionOf(request: FastifyRequest): string | undefined {
    const { rule } = this;
    if (!rule.resource) return undefined;
    const caller = this.callerOf(request);
    const projection = rule.key ? textOfKey(rule.key(request), 'key') : this.nameByUrl(request);
    if (projection === undefined || (rule.keyBy && caller === undefined)) throw new UnusableKeyError();
    const name = `${projection}${bodyIn(request)}`;
    return caller === undefined ? name : `${name};by=${caller}`;
  }

  /** The handler's name, with its parameters from the URL. */
  private nameByUrl(request: FastifyRequest): string {
    const values = this.route.urlArguments.map(({ from, member }) => {
      const all = request[from] as Readonly<Record<string, unknown>>;
      return member === undefined ? all : (all[member] ?? null);
    });
    const name = handlerName(this.route);
    // `|` parts the words of a member's key.
    return values.length === 0 ? name : `${name}:${toCacheKey(JSON.stringify(values).replaceAll('|', '\\u007c'))}`;
  }

  /**
   * Undefined for a request without a caller. A digest, because keys appear in logs, headers and Redis, and the caller's value may be a
   * credential.
   */
  private callerOf(request: FastifyRequest): string | undefined {
    const { keyBy } = this.rule;
    const caller = keyBy && textOfKey(keyBy(request), 'keyBy');
    return caller === undefined ? undefined : createHash('sha256').update(exactBytes(caller)).digest('base64url');
  }
}

/** Whether the rule sets its own key, which is then shared by all callers. */
export function isKeyed({ key, resource }: RouteRule): boolean {
  return key !== undefined || resource !== undefined;
}

/** The same on every replica, and another for each handler that a URL may have. */
function handlerName({ name, version, constraints }: NestRoute): string {
  const more = [version, constraints].map((one) => (one === undefined ? '' : textOf(one)));
  return encodeURIComponent([name, ...more].join(' ').trim());
}

function textOf(constraint: unknown): string {
  return JSON.stringify(constraint, (_name, value: unknown) =>
    typeof value === 'symbol' || value instanceof RegExp || typeof value === 'function' ? String(value) : value,
  );
}

/** @returns undefined for none. @throws UnusableKeyError for a value without a text of its own: all such values would share one entry */
export function textOfKey(value: unknown, name: string): string | undefined {
  if (typeof value === 'string') {
    const object = objectTextIn(value);
    if (object) throw new UnusableKeyError(`its ${name} has ${object} in it, where a text or an await is missing`);
    return value;
  }
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  if (value instanceof Promise) value.catch(() => undefined);
  const what = value instanceof Promise ? 'a promise' : Array.isArray(value) ? 'a list' : `a ${typeof value}`;
  throw new UnusableKeyError(`its ${name} returns ${what}`);
}

/** The last part of the key of a QUERY request: a digest of its body. @throws UnusableKeyError */
function bodyIn(request: FastifyRequest): string {
  if (request.method !== 'QUERY') return '';
  try {
    return `;body=${digestOf([request.headers['content-type'], request.body])}`;
  } catch (error) {
    if (error instanceof UnusableArgumentsError) throw new UnusableKeyError(`its body is ${error.message}`);
    throw error;
  }
}

function versionIn(request: FastifyRequest, versioning: VersioningOptions): string {
  if (versioning.type === VersioningType.HEADER) return String(request.headers[versioning.header.toLowerCase()] ?? '');
  if (versioning.type === VersioningType.CUSTOM) return [versioning.extractor(rawRequestOf(request))].flat().join();
  if (versioning.type !== VersioningType.MEDIA_TYPE) return '';
  const parameters = (request.headers.accept ?? '').split(/[;,]/);
  return parameters.filter((one) => one.trim().startsWith(versioning.key)).join();
}
