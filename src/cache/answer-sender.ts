import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Readable } from 'node:stream';
import { bodyWriter, isLargeBody } from '../http/body-writer';
import { ClientConnection } from '../http/client-connection';
import { Clock } from '../kernel/clock';
import { cacheFields } from './cache-headers';
import type { HeaderList } from './core/cache-entry';
import type { StoredAnswer } from './core/http/exchange';
import { isFromStore } from './core/cache-outcome';
import { withLastMember } from './core/representation';
import { PreparedResponse } from './fast-path/prepared-response';
import { isHeld, RouteResponses, type RouteResponse } from './route-responses';
import { UnreadableEntryError } from './unreadable-entry.error';

/** The form of the answer that a client asks for. */
export type AskedForm = Pick<FastifyRequest['headers'], 'accept-encoding' | 'if-none-match' | 'if-modified-since'>;

/** Sends a stored response: the bytes as they are, the header fields kept, and what the cache has to say. */
@Injectable()
export class AnswerSender {
  constructor(
    private readonly clock: Clock,
    private readonly responses: RouteResponses,
  ) {}

  /**
   * @param asked the fields by which the client asks for its form of the answer, where the request may lack them
   * @returns a promise only where the body must be unpacked on a thread
   * @throws UnreadableEntryError before anything is sent
   */
  send(
    request: FastifyRequest,
    reply: FastifyReply,
    answer: StoredAnswer,
    key: string,
    asked: AskedForm = request.headers,
  ): void | Promise<void> {
    const prepared = this.prepare(answer, key, asked['accept-encoding']);
    if (prepared instanceof PreparedResponse) {
      this.write(request, reply, answer, key, prepared, asked);
      return;
    }
    return prepared.then(
      (made) => this.write(request, reply, answer, key, made, asked),
      (error: unknown) => {
        throw new UnreadableEntryError(key, { cause: error });
      },
    );
  }

  private prepare(
    { entry, outcome }: StoredAnswer,
    key: string,
    acceptEncoding: string | string[] | undefined,
  ): RouteResponse | Promise<RouteResponse> {
    try {
      const accepted = acceptEncoding?.toString();
      return outcome === 'MISS'
        ? this.responses.prepareUncached(entry, key, accepted)
        : this.responses.prepare(entry, key, accepted);
    } catch (error) {
      throw new UnreadableEntryError(key, { cause: error });
    }
  }

  private write(
    request: FastifyRequest,
    reply: FastifyReply,
    answer: StoredAnswer,
    key: string,
    prepared: RouteResponse,
    asked: AskedForm,
  ): void {
    const { entry } = answer;
    const { etag = '' } = prepared;
    // RFC 9110 §13.2.1: conditions are evaluated only where the answer would be 2xx.
    const isNotModified = entry.status < 300 && isHeld(prepared, asked['if-none-match'], asked['if-modified-since']);
    const body = isNotModified || isEmpty(entry) ? undefined : bodyOf(answer, prepared, request.id);
    const large = isLargeBody(body) && request.method !== 'HEAD' ? body : undefined;
    if (large) bodyWriter.requireRoomFor(large);
    const stored = prepared.storedFields(isNotModified ? 'not-modified' : 'whole');
    for (const [name, value] of fieldsByName(stored)) setField(reply, name, value);
    reply.headers({ ...cacheFields(answer, key, this.clock.now()) });
    reply.header('etag', etag);
    if (isNotModified) void reply.code(304).send(nothingFor(request));
    else if (large === undefined) void reply.code(entry.status).send(body);
    else {
      const client = new ClientConnection(request.raw, reply.raw);
      void reply.code(entry.status).header('content-length', large.length).send(bodyWriter.stream(client, large));
    }
  }
}

/**
 * What a 304 sends. Of no body at all Fastify tells the length of an answer to HEAD, 0, which is not the representation's
 * (RFC 9110 §8.6); of a stream it tells none.
 */
function nothingFor({ method }: FastifyRequest): Readable | undefined {
  return method === 'HEAD' ? Readable.from([]) : undefined;
}

/** A handler that returned nothing: Fastify would give bytes a type. */
function isEmpty({ body, headers }: StoredAnswer['entry']): boolean {
  return body.length === 0 && !headers.some(([name]) => name === 'content-type');
}

/** Lines of one name are the values of one field: set one by one, the last would be left. */
export function fieldsByName(kept: HeaderList): ReadonlyMap<string, string | string[]> {
  const fields = new Map<string, string | string[]>();
  for (const [name, value] of kept) {
    const known = fields.get(name);
    fields.set(name, known === undefined ? value : [known, value].flat());
  }
  return fields;
}

/** Sets a stored field over what the route or a hook has set; of `Vary` both hold. */
export function setField(reply: FastifyReply, name: string, value: string | string[]): void {
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

/** The bytes to send, with what differs from one delivery to the next spliced in at their end. */
function bodyOf({ entry, outcome }: StoredAnswer, prepared: RouteResponse, requestId: string): Buffer {
  const { body, marker, status } = entry;
  if (status >= 400 && isProblem(entry.headers)) return withLastMember(body, 'instance', JSON.stringify(requestId));
  return marker === undefined || isFromStore(outcome) ? prepared.body : withLastMember(body, marker, 'false');
}

function isProblem(headers: StoredAnswer['entry']['headers']): boolean {
  return headers.some(([name, value]) => name === 'content-type' && value.startsWith('application/problem+json'));
}
