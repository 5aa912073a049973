import { RequestMethod, VersioningType, type ExecutionContext, type VersioningOptions } from '@nestjs/common';
import type { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { createHash } from 'node:crypto';
import type { RouteRule } from './cache-rule.decorator';
import { rawRequestOf, targetOf } from './client-reply';
import { exactBytes, requestKey, toCacheKey } from '../model/cache-key';
import { digestOf, UnusableArgumentsError } from '../methods/method-key';
import { constraintsOf, hasConstraints, urlArguments } from './nest-pipeline';

/*
 * The key of a cached route's request. Without a key of its rule's own it is the target URI (RFC 9111 §2: the method and the
 * target URI), which has the host in it, and what else Nest finds the handler by.
 */

// The names under which Nest keeps a handler's method and version (@nestjs/common, constants).
const METHOD = 'method';
const VERSION = '__version__';

/** The facts that determine the handler, besides the URL. */
export interface KeyShape {
  /** `GET` for a handler whose entries HEAD gets, too: of @Get(), and of @All() with a key; else undefined. */
  readonly method: 'GET' | undefined;
  /** The version that a request asks for, where it is not in the URL. */
  readonly versionOf: ((request: FastifyRequest) => string) | undefined;
  /** The handler by its name, where a URL may have several: versions that are not in it, constraints of Fastify's. */
  readonly handler: string | undefined;
  /** The name of a projection without a key of its rule's own: the handler's, with what it takes of the URL. */
  readonly projectionOf: (request: FastifyRequest) => string;
}

/** @param isNamed whether a key leaves the method out */
export function shapeOf(
  context: ExecutionContext,
  config: ApplicationConfig,
  modules: ModulesContainer,
  isNamed: boolean,
): KeyShape {
  const method: unknown = Reflect.getMetadata(METHOD, context.getHandler());
  const versioning = config.getVersioning();
  const isVersioned = versioning !== undefined && versioning.type !== VersioningType.URI;
  return {
    method: method === RequestMethod.GET || (method === RequestMethod.ALL && isNamed) ? 'GET' : undefined,
    versionOf: isVersioned ? (request) => versionIn(request, versioning) : undefined,
    handler: isVersioned || hasConstraints(modules) ? handlerName(context) : undefined,
    projectionOf: projectionNames(context),
  };
}

function projectionNames(context: ExecutionContext): KeyShape['projectionOf'] {
  const name = handlerName(context);
  const taken = urlArguments(context);
  if (taken.length === 0) return () => name;
  return (request) => {
    const values = taken.map(({ from, member }) => {
      const all = request[from] as Readonly<Record<string, unknown>>;
      return member === undefined ? all : (all[member] ?? null);
    });
    // `|` parts the words of a member's key.
    return `${name}:${toCacheKey(JSON.stringify(values).replaceAll('|', '\\u007c'))}`;
  };
}

/** The same on every replica, and another for each handler that a URL may have. */
function handlerName(context: ExecutionContext): string {
  const [handler, controller] = [context.getHandler(), context.getClass()];
  const version: unknown = Reflect.getMetadata(VERSION, handler) ?? Reflect.getMetadata(VERSION, controller);
  const constraints = constraintsOf(handler);
  const constraint = [version, constraints].map((one) => (one === undefined ? '' : textOf(one)));
  return encodeURIComponent([`${controller.name}.${handler.name}`, ...constraint].join(' ').trim());
}

function textOf(constraint: unknown): string {
  return JSON.stringify(constraint, (_name, value: unknown) =>
    typeof value === 'symbol' || value instanceof RegExp || typeof value === 'function' ? String(value) : value,
  );
}

/** A rule's key cannot distinguish requests: the request bypasses the cache. */
export class UnusableKeyError extends Error {
  /** @param why absent where the rule leaves the request out on purpose */
  constructor(readonly why?: string) {
    super(why ?? 'The rule gives no key.');
    this.name = 'UnusableKeyError';
  }
}

/** The default text of an object or a promise: all of them have the same. */
const TEXT_OF_OBJECT = /\[object \w+\]/;

/** @returns undefined for none. @throws UnusableKeyError for a value without a text of its own: all such values would share one entry */
export function textOfKey(value: unknown, name: string): string | undefined {
  if (typeof value === 'string') {
    const object = value.includes('[object ') ? TEXT_OF_OBJECT.exec(value) : null;
    if (object) throw new UnusableKeyError(`its ${name} has ${object[0]} in it, where a text or an await is missing`);
    return value;
  }
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  if (value instanceof Promise) value.catch(() => undefined);
  throw new UnusableKeyError(
    `its ${name} returns ${value instanceof Promise ? 'a promise' : Array.isArray(value) ? 'a list' : `a ${typeof value}`}`,
  );
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

/** Without a key of its own a rule speaks for no caller: a request with credentials is not for a shared cache (RFC 9111 §3.5). */
export function keyOf(
  rule: RouteRule,
  request: FastifyRequest,
  { method, versionOf, handler }: KeyShape,
): string | undefined {
  const { upstream } = rule;
  if (rule.resource) {
    const resource = textOfKey(rule.resource(request), 'resource');
    return resource === undefined ? undefined : toCacheKey(`${upstream}:${resource}`);
  }
  const caller = callerOf(rule, request);
  if (rule.keyBy && caller === undefined) return undefined;
  if (rule.key) {
    const key = textOfKey(rule.key(request), 'key');
    return key === undefined
      ? undefined
      : toCacheKey(`${upstream}:${caller === undefined ? '' : `by=${caller}:`}${key}${bodyIn(request)}`);
  }
  const { authorization, cookie } = request.headers;
  if (caller === undefined && (authorization !== undefined || cookie !== undefined)) return undefined;
  const version = versionOf ? `;v=${encodeURIComponent(versionOf(request))}` : '';
  const by = caller === undefined ? '' : `;by=${caller}`;
  const to = handler === undefined ? '' : `;to=${handler}`;
  return requestKey(`${upstream}:${method ?? request.method}${version}${to}${by}${bodyIn(request)}`, targetOf(request));
}

/** The key of `@CacheKey`: unchanged, except for the part that distinguishes callers. */
export function namedKey(name: string, rule: RouteRule, request: FastifyRequest): string | undefined {
  const key = `${name}${bodyIn(request)}`;
  if (!rule.keyBy) return toCacheKey(key);
  const caller = callerOf(rule, request);
  return caller === undefined ? undefined : toCacheKey(`${key};by=${caller}`);
}

/** The name of the projection of a resource that the response is. @throws UnusableKeyError where the rule gives none */
export function projectionOf(rule: RouteRule, request: FastifyRequest, shape: KeyShape): string | undefined {
  if (!rule.resource) return undefined;
  const caller = callerOf(rule, request);
  const projection = rule.key ? textOfKey(rule.key(request), 'key') : shape.projectionOf(request);
  if (projection === undefined || (rule.keyBy && caller === undefined)) throw new UnusableKeyError();
  const name = `${projection}${bodyIn(request)}`;
  return caller === undefined ? name : `${name};by=${caller}`;
}

/** Whether the rule sets its own key, which is then shared by all callers. */
export function isKeyed({ key, resource }: RouteRule): boolean {
  return key !== undefined || resource !== undefined;
}

/**
 * Undefined for a request without a caller. A digest, because keys appear in logs, headers and Redis, and the caller's value may be a
 * credential.
 */
function callerOf({ keyBy }: RouteRule, request: FastifyRequest): string | undefined {
  const caller = keyBy && textOfKey(keyBy(request), 'keyBy');
  return caller === undefined ? undefined : createHash('sha256').update(exactBytes(caller)).digest('base64url');
}

function versionIn(request: FastifyRequest, versioning: VersioningOptions): string {
  if (versioning.type === VersioningType.HEADER) return String(request.headers[versioning.header.toLowerCase()] ?? '');
  if (versioning.type === VersioningType.CUSTOM) return [versioning.extractor(rawRequestOf(request))].flat().join();
  if (versioning.type !== VersioningType.MEDIA_TYPE) return '';
  const parameters = (request.headers.accept ?? '').split(/[;,]/);
  return parameters.filter((one) => one.trim().startsWith(versioning.key)).join();
}
