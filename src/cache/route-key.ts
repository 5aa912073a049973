import { RequestMethod, VersioningType, type ExecutionContext, type VersioningOptions } from '@nestjs/common';
import type { ApplicationConfig } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { createHash } from 'node:crypto';
import type { RouteRule } from './cache-rule.decorator';
import { requestKey, toCacheKey } from './core/cache-key';

/*
 * The key of a cached route's request. Without a key of its rule's own it is the target URI (RFC 9111 §2: the method and the
 * target URI), which has the host in it, and what else Nest finds the handler by.
 */

// The name under which Nest keeps a handler's method (@nestjs/common, constants).
const METHOD = 'method';

/** What leads to the handler beside the URL. */
export interface KeyShape {
  /** `GET` for a @Get() handler, which answers HEAD as well; undefined for handlers of several methods, or of HEAD. */
  readonly method: 'GET' | undefined;
  /** The version that a request asks for, where it is not in the URL. */
  readonly versionOf: ((request: FastifyRequest) => string) | undefined;
}

export function shapeOf(context: ExecutionContext, config: ApplicationConfig): KeyShape {
  const method: unknown = Reflect.getMetadata(METHOD, context.getHandler());
  const versioning = config.getVersioning();
  return {
    method: method === RequestMethod.GET ? 'GET' : undefined,
    versionOf:
      versioning && versioning.type !== VersioningType.URI ? (request) => versionIn(request, versioning) : undefined,
  };
}

/** Without a key of its own a rule speaks for no caller: a request with credentials is not for a shared cache (RFC 9111 §3.5). */
export function keyOf(rule: RouteRule, request: FastifyRequest, { method, versionOf }: KeyShape): string | undefined {
  const { upstream } = rule;
  if (rule.resource) return toCacheKey(`${upstream}:${rule.resource(request)}`);
  const caller = callerOf(rule, request);
  if (rule.key) return toCacheKey(`${upstream}:${caller === undefined ? '' : `by=${caller}:`}${rule.key(request)}`);
  const { authorization, cookie } = request.headers;
  if (caller === undefined && (authorization !== undefined || cookie !== undefined)) return undefined;
  const version = versionOf ? `;v=${encodeURIComponent(versionOf(request))}` : '';
  const by = caller === undefined ? '' : `;by=${caller}`;
  const target = `//${request.host.toLowerCase()}${request.url}`;
  return requestKey(`${upstream}:${method ?? request.method}${version}${by}`, target);
}

/** The name of the part of a resource that the response is. */
export function partOf(rule: RouteRule, request: FastifyRequest): string | undefined {
  if (!rule.resource) return undefined;
  const caller = callerOf(rule, request);
  const part = rule.key?.(request) ?? rule.upstream;
  return caller === undefined ? part : `${part};by=${caller}`;
}

/** Whether the rule names its key, so that it speaks for all callers who have it. */
export function isKeyed({ key, resource }: RouteRule): boolean {
  return key !== undefined || resource !== undefined;
}

/** A digest, for keys are seen in logs, headers and Redis: what tells callers apart may be a credential. */
function callerOf({ keyBy }: RouteRule, request: FastifyRequest): string | undefined {
  return keyBy && createHash('sha256').update(keyBy(request)).digest('base64url');
}

function versionIn(request: FastifyRequest, versioning: VersioningOptions): string {
  if (versioning.type === VersioningType.HEADER) return String(request.headers[versioning.header.toLowerCase()] ?? '');
  if (versioning.type === VersioningType.CUSTOM) return [versioning.extractor(request.raw)].flat().join();
  if (versioning.type !== VersioningType.MEDIA_TYPE) return '';
  const parameters = (request.headers.accept ?? '').split(/[;,]/);
  return parameters.filter((one) => one.trim().startsWith(versioning.key)).join();
}
