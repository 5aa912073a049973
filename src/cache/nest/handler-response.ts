import { Inject, Injectable, type HttpException } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { AppError } from '../../kernel/app-error';
import type { RouteRule } from './cache-rule.decorator';
import type { HeaderList } from '../model/cache-entry';
import { isSuccess } from '../law/response-policy';
import { parseDirectives } from '../law/directives';
import { entityTag, weakened } from '../law/representation';
import { isForWaiting } from './handler-error';
import { exceptionHeaders, isNotFound, problemOfException, thrownError, thrownWith } from './kept-exception';
import { valueFields } from './handed-value';
import { CacheableResult, type HandlerResult, type Sharing } from './handler-answer';
import type { ClientReply, Fields, LoadFields, LoadReply } from './load-reply';
import { RESPONSE_CACHE_OPTIONS, type KeptProblem, type ResponseCacheModuleOptions } from './response-cache.options';

/** Fields that belong to one delivery, not to the response. */
const NOT_KEPT: ReadonlySet<string> = new Set([
  'age',
  'cache-status',
  'connection',
  'content-length',
  'date',
  'keep-alive',
  'set-cookie',
  'transfer-encoding',
  'x-cache',
  'x-request-id',
  'x-response-time',
]);
const BINARY_TYPE = 'application/octet-stream';
/** RFC 9110 §8.8.3 */
const ENTITY_TAG = /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/;

/** The result of a load, besides the value of its handler. */
export interface LoadSetting {
  readonly fields: LoadFields;
  readonly reply: Pick<LoadReply, 'represent'>;
  /** Whether the fields may lack some of the load's, so that no other request may get them. */
  readonly isAmbiguous: boolean;
  /** Whether interceptors get the value, instead of the client its bytes. */
  readonly isHandedOn: boolean;
  /** Fields that the route sets on each of its responses (`@Header`), names in lower case: Nest sets them before the load. */
  readonly routeFields: ReadonlySet<string>;
  /** Whether a hit flag will be spliced in. */
  readonly isMarked: boolean;
  /** As in the rule. */
  readonly vary?: readonly string[] | undefined;
}

const problemHeaders: HeaderList = [['content-type', 'application/problem+json; charset=utf-8']];

/** An error that is an answer: the upstream has nothing, and will say so again for a while. */
export class NegativeAnswer {
  constructor(
    /** The error of the handler. */
    readonly error: HttpException | AppError,
    readonly problem: KeptProblem,
    readonly headers: HeaderList,
  ) {}
}

/** Makes a storable response of a handler's result and its reply's fields. */
@Injectable()
export class HandlerResponse {
  constructor(
    @Inject(RESPONSE_CACHE_OPTIONS) private readonly options: Pick<ResponseCacheModuleOptions, 'problemOf'>,
    private readonly adapterHost: HttpAdapterHost,
  ) {}

  /** The value of the call, or its thrown "not found" as a value, if that may be stored. */
  async negativeOf(call: () => Promise<unknown>, { negativeTtlMs = 0 }: RouteRule): Promise<unknown> {
    try {
      return await call();
    } catch (error) {
      const problem = error instanceof AppError ? this.options.problemOf(error) : undefined;
      if (problem && error instanceof AppError) return new NegativeAnswer(error, problem, problemHeaders);
      if (negativeTtlMs > 0 && isNotFound(error))
        return new NegativeAnswer(error, problemOfException(error), exceptionHeaders);
      throw error;
    }
  }

  toResponse(
    value: unknown,
    { fields, reply, isAmbiguous, isHandedOn, routeFields, isMarked, vary = [] }: LoadSetting,
  ): HandlerResult {
    if (value instanceof NegativeAnswer) return negative(value, isHandedOn, sharingOf(fields, { vary, routeFields }));
    const sourced = value instanceof CacheableResult ? value : new CacheableResult(value);
    const { validators = {}, tags = [], derivedFrom } = sourced.origin;
    const ofRoute = Object.entries(fields.before).filter(([name]) => routeFields.has(name));
    const given: Fields = { ...Object.fromEntries(ofRoute), ...fields.set };
    const named = given['content-type']?.toString();
    const { httpAdapter } = this.adapterHost;
    const { body, type } = isHandedOn
      ? { body: jsonOf(sourced.value), type: named }
      : reply.represent(sourced.value, named, (response, plain) => httpAdapter.reply(response, plain));
    const sharing = sharingOf(fields, { vary, routeFields });
    const kept = keptHeaders({ ...given, vary: sharing.vary, 'content-type': type });
    // Interceptors around may change the value: its tag is then a field like any other, and no condition is compared with it.
    const headers = isHandedOn ? valueFields(kept) : kept.filter(([name]) => name !== 'etag');
    const etag = (isHandedOn ? undefined : entityTagIn(given)) ?? entityTag(body);
    const { status } = fields;
    const isStated = isSuccess(status) || given['cache-control'] !== undefined;
    return {
      ...{ status, headers, body, validators, tags },
      etag: isMarked ? weakened(etag) : etag,
      ...(derivedFrom && { derivedFrom }),
      isUncacheable: isAmbiguous || !isStated || sharing.isForOneClient,
      isForWaiting: isForWaiting(status) && !isAmbiguous && !sharing.isForOneClient && !sharing.needsValidation,
    };
  }
}

/** Interceptors around would treat a problem as a value: an error of the service is thrown there, like any other. */
function negative(
  { error, ...kept }: NegativeAnswer,
  isHandedOn: boolean,
  { vary, isForOneClient }: Sharing,
): HandlerResult {
  const isThrown = isHandedOn && error instanceof AppError;
  const [{ status, body }, fields] = isThrown ? thrownError(error, kept.problem) : [kept.problem, kept.headers];
  const headers: HeaderList = vary === undefined ? fields : [...fields, ['vary', vary]];
  const isUncacheable = isForOneClient;
  return {
    status,
    headers,
    body: thrownWith(body, error),
    validators: {},
    etag: weakened(entityTag(body)),
    isUncacheable,
  };
}

/** The bytes that Fastify sends for a value, and its type if the handler names none. */
export function bodyOf(
  value: unknown,
  serialise: (value: unknown) => string | undefined,
): { body: Buffer; type: string | undefined } {
  if (value === undefined) return { body: Buffer.alloc(0), type: undefined };
  if (typeof value === 'string') return { body: Buffer.from(value), type: 'text/plain; charset=utf-8' };
  if (ArrayBuffer.isView(value) && value.buffer instanceof ArrayBuffer) {
    const { buffer, byteOffset, byteLength } = value;
    // A copy: the stored bytes must not change with the handler's.
    return { body: Buffer.from(Buffer.from(buffer, byteOffset, byteLength)), type: BINARY_TYPE };
  }
  return { body: Buffer.from(serialise(value) ?? ''), type: 'application/json; charset=utf-8' };
}

/** Whether a stored response keeps all of a field that the route sets on each of its responses. */
export function isKeptWhole(name: string, value: unknown): boolean {
  const field = name.toLowerCase();
  const names = String(value).split(',');
  const varying = varyingNames(names.join());
  // `Origin` indicates a hook's CORS fields (`selectingFields`).
  return isKept(field) && (field !== 'vary' || (varying.length === names.length && !varying.includes('origin')));
}

function isKept(field: string): boolean {
  return !NOT_KEPT.has(field);
}

/** A value as JSON, whatever it will be sent as; the framework gives it its type then. */
function jsonOf(value: unknown): Buffer {
  return Buffer.from(value === undefined ? '' : JSON.stringify(value));
}

/** Fastify's way with text: JSON under a type without a charset gets one. */
export function withCharset(given: string, type: string | undefined): string {
  const isText = type !== undefined && type !== BINARY_TYPE;
  return isText && /^[^;]*json/i.test(given) && !/;\s*charset\s*=/i.test(given) ? `${given}; charset=utf-8` : given;
}

/** The fields for the load's own client in addition to the stored ones. */
export function applyUnkept(reply: ClientReply, { set, removed }: LoadFields): void {
  for (const name of removed) reply.removeHeader(name);
  for (const [name, value] of Object.entries(set)) {
    if (value !== undefined && (name === 'set-cookie' || name === 'vary')) reply.header(name, value);
  }
}

/** The handler's entity tag; undefined without a valid one. */
function entityTagIn({ etag }: Fields): string | undefined {
  const tag = String([etag ?? ''].flat()[0]).trim();
  return ENTITY_TAG.test(tag) ? tag : undefined;
}

/** The fields of a 304 that replace stored ones (RFC 9111 §3.2). */
export function validationFields(fields: Fields): HeaderList {
  return keptHeaders(fields).filter(([name]) => name !== 'etag' && !name.startsWith('content-'));
}

function keptHeaders(fields: Fields): HeaderList {
  const kept: [string, string][] = [];
  for (const [name, value] of Object.entries(fields)) {
    const field = name.toLowerCase();
    if (value === undefined || !isKept(field)) continue;
    if (field === 'vary') {
      const names = varyingNames(String(value));
      if (names.length > 0) kept.push([field, names.join(', ')]);
    } else for (const one of Array.isArray(value) ? value : [value]) kept.push([field, String(one)]);
  }
  return kept;
}

/** The word on sharing of the handler, its rule, and of a hook or a guard in front of it. */
export function sharingOf(
  fields: LoadFields,
  { vary = [], routeFields }: Pick<LoadSetting, 'vary' | 'routeFields'>,
): Sharing {
  const { set, before } = fields;
  const control = parseDirectives([set['cache-control'] ?? [], before['cache-control'] ?? []].flat().map(String));
  const hasCookie = (set['set-cookie'] ?? before['set-cookie']) !== undefined;
  const isForOneClient = control.has('no-store') || control.has('private') || hasCookie || namesOrigin(set);
  const needsValidation = control.has('no-cache');
  return { isForOneClient, needsValidation, vary: selectingFields(fields, vary, routeFields.has('vary')) };
}

/** The request fields that select the response, named by the handler, its rule, a hook or a guard. */
function selectingFields({ set, before }: LoadFields, vary: readonly string[], isOfRoute: boolean): string | undefined {
  // A hook that sets CORS fields sets them on each response, hits included: the fields that it varies by do not select the stored
  // response.
  const ofHooks = varyingNames([before['vary'] ?? ''].join()).filter((name) => isOfRoute || name !== 'origin');
  const names = new Set([...ofHooks, ...varyingNames([set['vary'] ?? '', ...vary].join())]);
  return names.size === 0 ? undefined : [...names].join(', ');
}

/**
 * Whether the handler allows one origin to read the response: a page of another origin could not read it
 * (https://fetch.spec.whatwg.org/#cors-check).
 */
function namesOrigin(set: Fields): boolean {
  const allowed = [set['access-control-allow-origin'] ?? '*'].flat().join();
  return allowed.trim() !== '*';
}

/** The names in `Vary` that concern the stored response: the coding is the cache's own. */
function varyingNames(list: string): string[] {
  const names = list.split(',').map((name) => name.trim().toLowerCase());
  return names.filter((name) => name !== '' && name !== 'accept-encoding');
}
