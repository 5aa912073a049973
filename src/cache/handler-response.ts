import { Inject, Injectable, StreamableFile } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { AppError } from '../kernel/app-error';
import type { HeaderList } from './core/cache-entry';
import type { LoadedResponse } from './core/load';
import { entityTag, weakened } from './core/representation';
import type { Fields } from './earlier-fields';
import { Sourced } from './handler-answer';
import type { LoadFields } from './load-reply';
import { RESPONSE_CACHE_OPTIONS, type KeptProblem, type ResponseCacheModuleOptions } from './response-cache.options';

/** Fields that belong to one delivery, not to the response. */
const NOT_KEPT: ReadonlySet<string> = new Set([
  'age',
  'cache-status',
  'connection',
  'content-length',
  'date',
  'etag',
  'keep-alive',
  'set-cookie',
  'transfer-encoding',
  'x-cache',
  'x-request-id',
  'x-response-time',
]);
const CORS = /^access-control-/;

/** What a load brought, beside the value of its handler. */
export interface LoadSetting {
  readonly fields: LoadFields;
  /** Whether the fields may lack some of the load's, so that nobody else may be answered by them. */
  readonly isAmbiguous: boolean;
  /** Fields that the route sets on each of its answers (`@Header`), names in lower case: Nest does it before the load. */
  readonly routeFields: ReadonlySet<string>;
  /** Whether a marker will be spliced in. */
  readonly isMarked: boolean;
  /** Whether the rule names a key, which then tells apart all that can change the answer. */
  readonly isKeyed: boolean;
}

/** An error that is an answer: the upstream said that there is nothing, and will say so again for a while. */
class NegativeAnswer {
  constructor(readonly problem: KeptProblem) {}
}

/** Turns what a handler returned, and what it set on the reply, into a response to keep. */
@Injectable()
export class HandlerResponse {
  constructor(@Inject(RESPONSE_CACHE_OPTIONS) private readonly options: ResponseCacheModuleOptions) {}

  /** The value of the call, or the "not found" it threw as a value. */
  async negativeOf(call: () => Promise<unknown>): Promise<unknown> {
    try {
      return await call();
    } catch (error) {
      const problem = error instanceof AppError ? this.options.problemOf(error) : undefined;
      if (problem) return new NegativeAnswer(problem);
      throw error;
    }
  }

  toLoaded(value: unknown, { fields, isAmbiguous, routeFields, isMarked, isKeyed }: LoadSetting): LoadedResponse {
    if (value instanceof NegativeAnswer) return this.negative(value.problem);
    const sourced = value instanceof Sourced ? value : new Sourced(value);
    const { madeOf } = sourced.origin;
    const { body, type } = serialise(sourced.value);
    const ofRoute = Object.entries(fields.before).filter(([name]) => routeFields.has(name));
    const headers = keptHeaders({ ...Object.fromEntries(ofRoute), ...fields.set }, type);
    const etag = entityTag(body);
    return {
      kind: 'response',
      status: fields.status,
      headers,
      body,
      validators: sourced.origin.validators ?? {},
      tags: sourced.origin.tags ?? [],
      etag: isMarked ? weakened(etag) : etag,
      ...(madeOf === undefined ? {} : { bornAt: madeOf.entry.storedAt, madeIn: madeOf.tier }),
      ...(!isAmbiguous && mayBeStored(fields, isKeyed) ? {} : { ttlMs: 0 }),
    };
  }

  private negative({ status, body }: KeptProblem): LoadedResponse {
    const headers: HeaderList = [['content-type', 'application/problem+json; charset=utf-8']];
    return { kind: 'response', status, headers, body, validators: {}, tags: [], etag: weakened(entityTag(body)) };
  }
}

function serialise(value: unknown): { readonly body: Buffer; readonly type: string } {
  if (value instanceof StreamableFile)
    throw new TypeError('A StreamableFile cannot be cached: take @CacheRule off the route.');
  if (Buffer.isBuffer(value)) return { body: value, type: 'application/octet-stream' };
  if (typeof value === 'string') return { body: Buffer.from(value), type: 'text/plain; charset=utf-8' };
  return {
    body: Buffer.from(value === undefined ? '' : JSON.stringify(value)),
    type: 'application/json; charset=utf-8',
  };
}

/** Whether a field that the route sets on each of its answers is all there in what is kept of one. */
export function isKeptWhole(name: string, value: unknown): boolean {
  const field = name.toLowerCase();
  const names = String(value).split(',');
  return isKept(field) && (field !== 'vary' || varyingNames(names.join()).length === names.length);
}

function isKept(field: string): boolean {
  return !NOT_KEPT.has(field) && !CORS.test(field);
}

/** What the client of the load gets beside what is kept: fields that are for this one. */
export function applyUnkept(reply: FastifyReply, { set, removed }: LoadFields): void {
  for (const name of removed) reply.removeHeader(name);
  for (const [name, value] of Object.entries(set)) {
    if (value !== undefined && (name === 'set-cookie' || name === 'vary' || CORS.test(name))) reply.header(name, value);
  }
}

function keptHeaders(fields: Fields, type: string): HeaderList {
  const kept: [string, string][] = [];
  for (const [name, value] of Object.entries(fields)) {
    const field = name.toLowerCase();
    if (value === undefined || !isKept(field)) continue;
    if (field === 'vary') {
      const names = varyingNames(String(value));
      if (names.length > 0) kept.push([field, names.join(', ')]);
    } else for (const one of Array.isArray(value) ? value : [value]) kept.push([field, String(one)]);
  }
  if (!kept.some(([name]) => name === 'content-type')) kept.push(['content-type', type]);
  return kept;
}

// RFC 9111 §3 and §4.1: not the responses that say so, nor those that set a cookie for one caller, nor those that depend on fields
// which the key does not have; of the others 2xx only. What a hook or a guard said counts as well.
function mayBeStored({ status, set, before }: LoadFields, isKeyed: boolean): boolean {
  const fields: Fields = { ...before, ...set };
  const control = String(fields['cache-control'] ?? '');
  if (/(?:^|[\s,])(?:no-store|private)(?:$|[\s,=])/i.test(control)) return false;
  const varying = varyingNames(String(fields['vary'] ?? ''));
  if (varying.some((name) => !isKeyed || name === '*')) return false;
  return fields['set-cookie'] === undefined && status >= 200 && status < 300;
}

/** The names in `Vary` that concern the stored response: of CORS fields nothing is stored, and coding is the cache's own. */
function varyingNames(list: string): string[] {
  const names = list.split(',').map((name) => name.trim().toLowerCase());
  return names.filter((name) => name !== '' && name !== 'origin' && name !== 'accept-encoding');
}
