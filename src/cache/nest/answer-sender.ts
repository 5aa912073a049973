import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Readable } from 'node:stream';
import { bodyWriter, isLargeBody } from '../../server/body-writer';
import { ClientConnection } from '../../server/client-connection';
import { Clock } from '../../kernel/clock';
import { cacheFields, type CacheFields } from '../law/cache-status';
import type { ClientReply } from './client-reply';
import type { HeaderList } from '../model/cache-entry';
import type { StoredAnswer } from '../model/exchange';
import { isFromStore } from '../model/cache-outcome';
import { withLastMember } from '../law/representation';
import { PreparedResponse } from '../fast-path/prepared-response';
import { hasNoFields } from './earlier-fields';
import { FastPath } from '../fast-path/fast-path';
import { requireRoomFor, writeStored } from '../fast-path/response-writer';
import { RouteEntryPoint } from './route-entry-point';
import { CONTENT_FIELDS, routeForm, RouteResponses, type RouteResponse } from './route-responses';
import type { RouteRequest } from './route-request';
import { orUnreadable } from '../engine/unreadable-entry.error';

/**
 * Sends a stored response of a route: its bytes, its header fields, and the cache's own fields. The writer of the fast path sends a plain
 * hit; Fastify's reply sends everything to which a hook or the route contributes.
 */
@Injectable()
export class AnswerSender {
  constructor(
    private readonly clock: Clock,
    private readonly responses: RouteResponses,
    private readonly fastPath: FastPath,
    private readonly entryPoint: RouteEntryPoint,
  ) {}

  /** The fields by which a response tells of the cache's work. */
  cacheFieldsOf(asked: RouteRequest, answer: StoredAnswer): CacheFields {
    return cacheFields(answer, asked.key, this.clock.now());
  }

  /**
   * @returns a promise only where the body must be unpacked on a thread
   * @throws UnreadableEntryError before anything is sent
   */
  send(asked: RouteRequest, reply: ClientReply, answer: StoredAnswer): void | Promise<void> {
    const { key, acceptEncoding } = asked;
    const { entry, outcome } = answer;
    if (outcome === 'HIT' && answer.isRefreshing !== true)
      this.entryPoint.remember(asked.request, asked.applied, answer);
    const prepared = orUnreadable(key, () =>
      outcome === 'MISS'
        ? this.responses.prepareUncached(entry, key, acceptEncoding)
        : this.responses.prepare(entry, key, acceptEncoding),
    );
    if (prepared instanceof PreparedResponse) this.write(asked, reply, answer, prepared);
    else return prepared.then((made) => this.write(asked, reply, answer, made));
  }

  private write(asked: RouteRequest, reply: ClientReply, answer: StoredAnswer, prepared: RouteResponse): void {
    const { key, request, raw } = asked;
    const { nest } = asked.applied.route;
    const { entry } = answer;
    const now = this.clock.now();
    // Ranges apply to the stored body: a body with another hit flag, or of another request id, is not the same.
    const mayRange = entry.hitFlagName === undefined || isFromStore(answer.outcome);
    const form = routeForm(mayRange ? raw.method : undefined, asked.formFields, prepared);
    const fastify = reply as unknown as FastifyReply; // as the fast path knows it; one of Express's has fields elsewhere
    const isPlain =
      isPlainHit(answer) && nest.unkeptField === undefined && hasNoFields(fastify) && this.fastPath.mayWrite(request);
    if (isPlain && prepared.isWritable) {
      const { context } = this.entryPoint;
      requireRoomFor({ prepared, form });
      void fastify.hijack();
      const exchange = { request: raw, response: reply.raw, id: request.id };
      void writeStored(exchange, { prepared, answer, form, context, now, durationMs: fastify.elapsedTime });
      return;
    }
    const hasBody = (form.kind === 'whole' || form.kind === 'part') && !isEmpty(answer, prepared);
    const whole = hasBody ? bodyOf(answer, prepared) : undefined;
    const body = form.kind === 'part' ? whole?.subarray(form.first, form.last + 1) : whole;
    const large = isLargeBody(body) && raw.method !== 'HEAD' ? body : undefined;
    if (large) bodyWriter.requireRoomFor(large);
    // Of @Header.
    if (form.kind === 'not-modified') for (const name of CONTENT_FIELDS) reply.removeHeader(name);
    for (const [name, value] of fieldsByName(prepared.storedFields(form.kind))) setField(reply, name, value);
    reply.headers({ ...cacheFields(answer, key, now) });
    reply.header('etag', prepared.etag ?? '').code(prepared.statusOf(form));
    if (form.kind === 'part' || form.kind === 'unsatisfiable')
      reply.header('content-range', prepared.lengthFields(form)[1] ?? '');
    if (form.kind === 'not-modified') void reply.send(nothingFor(request));
    else if (large === undefined) void reply.send(body);
    else {
      const client = new ClientConnection(raw, reply.raw);
      void reply.header('content-length', large.length).send(bodyWriter.stream(client, large));
    }
  }
}

/** A hit that needs only the stored response. */
function isPlainHit({ outcome, isRefreshing, entry }: StoredAnswer): boolean {
  return outcome === 'HIT' && isRefreshing !== true && entry.status < 300;
}

/**
 * The body of a 304. Without a body Fastify sends the length 0 in response to HEAD, which is not the representation's (RFC 9110 §8.6);
 * with a stream it sends none.
 */
function nothingFor({ method }: FastifyRequest): Readable | undefined {
  return method === 'HEAD' ? Readable.from([]) : undefined;
}

/** A handler without a result: Fastify would set a type for bytes. */
function isEmpty({ entry }: StoredAnswer, { bodyBytes }: RouteResponse): boolean {
  return bodyBytes === 0 && !entry.headers.some(([name]) => name === 'content-type');
}

/** Lines of one name are the values of one field: set one by one, only the last would remain. */
export function fieldsByName(kept: HeaderList): ReadonlyMap<string, string | string[]> {
  const fields = new Map<string, string | string[]>();
  for (const [name, value] of kept) {
    const known = fields.get(name);
    fields.set(name, known === undefined ? value : [known, value].flat());
  }
  return fields;
}

/** Sets a stored field over what the route or a hook has set; of `Vary` both hold. */
export function setField(reply: ClientReply, name: string, value: string | string[]): void {
  const earlier = name === 'vary' ? reply.getHeader(name) : undefined;
  if (earlier === undefined) {
    reply.header(name, value);
    return;
  }
  const names = (list: string): string[] => list.split(',').map((one) => one.trim());
  const known = new Set(names(String(value).toLowerCase()));
  const more = names(String(earlier)).filter((one) => one !== '' && !known.has(one.toLowerCase()));
  reply.removeHeader(name).header(name, [value, ...more].join(', '));
}

/** The bytes to send: those of a miss have its own hit flag. */
function bodyOf({ entry, outcome }: StoredAnswer, prepared: RouteResponse): Buffer {
  const { hitFlagName } = entry;
  if (hitFlagName === undefined || isFromStore(outcome)) return prepared.body;
  return withLastMember(entry.body, hitFlagName, 'false');
}
