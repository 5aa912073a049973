import { Inject, Injectable, StreamableFile, type ExecutionContext } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { AppError } from '../kernel/app-error';
import type { HeaderList } from './core/cache-entry';
import type { LoadedResponse } from './core/load';
import { entityTag, weakened } from './core/representation';
import { Sourced } from './handler-answer';
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

  /**
   * @param isMarked whether a marker will be spliced in
   * @param isKeyed whether the rule names a key, which then tells apart all that can change the answer
   */
  toLoaded(
    context: ExecutionContext,
    value: unknown,
    { isMarked, isKeyed }: { readonly isMarked: boolean; readonly isKeyed: boolean },
  ): LoadedResponse {
    if (value instanceof NegativeAnswer) return this.negative(value.problem);
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    const sourced = value instanceof Sourced ? value : new Sourced(value);
    const { madeOf } = sourced.origin;
    const { body, type } = serialise(sourced.value);
    const headers = keptHeaders(reply, type);
    const etag = entityTag(body);
    return {
      kind: 'response',
      status: reply.statusCode,
      headers,
      body,
      validators: sourced.origin.validators ?? {},
      tags: sourced.origin.tags ?? [],
      etag: isMarked ? weakened(etag) : etag,
      ...(madeOf === undefined ? {} : { bornAt: madeOf.entry.storedAt, madeIn: madeOf.tier }),
      ...(mayBeStored(reply, isKeyed) ? {} : { ttlMs: 0 }),
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

function keptHeaders(reply: FastifyReply, type: string): HeaderList {
  const kept: [string, string][] = [];
  for (const [name, value] of Object.entries(reply.getHeaders())) {
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
// which the key does not have; of the others 2xx only.
function mayBeStored(reply: FastifyReply, isKeyed: boolean): boolean {
  const control = String(reply.getHeader('cache-control') ?? '');
  if (/(?:^|[\s,])(?:no-store|private)(?:$|[\s,=])/i.test(control)) return false;
  const varying = varyingNames(String(reply.getHeader('vary') ?? ''));
  if (varying.some((name) => !isKeyed || name === '*')) return false;
  return reply.getHeader('set-cookie') === undefined && reply.statusCode >= 200 && reply.statusCode < 300;
}

/** The names in `Vary` that concern the stored response: of CORS fields nothing is stored, and coding is the cache's own. */
function varyingNames(list: string): string[] {
  const names = list.split(',').map((name) => name.trim().toLowerCase());
  return names.filter((name) => name !== '' && name !== 'origin' && name !== 'accept-encoding');
}
