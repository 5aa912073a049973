import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Clock } from '../kernel/clock';
import { cacheFields } from './cache-headers';
import type { CacheAnswer } from './core/cache-request';
import { isFromStore } from './core/cache-outcome';
import { matchesIfNoneMatch, withLastMember } from './core/representation';

/** Sends a stored response: the bytes as they are, the header fields kept, and what the cache has to say. */
@Injectable()
export class AnswerSender {
  constructor(private readonly clock: Clock) {}

  send(request: FastifyRequest, reply: FastifyReply, answer: CacheAnswer, key: string): void {
    const { entry } = answer;
    for (const [name, value] of entry.headers) reply.header(name, value);
    reply.headers({ ...cacheFields(answer, key, this.clock.now()) });
    reply.header('etag', entry.etag);
    const condition = request.headers['if-none-match'];
    // RFC 9110 §13.2.1: conditions are evaluated only where the answer would be 2xx.
    if (condition !== undefined && entry.status < 300 && matchesIfNoneMatch(condition, entry.etag)) {
      reply.removeHeader('content-type');
      void reply.code(304).send();
      return;
    }
    void reply.code(entry.status).send(bodyOf(answer, request.id));
  }
}

/** The stored bytes, with what differs from one delivery to the next spliced in at their end. */
export function bodyOf({ entry, outcome }: CacheAnswer, requestId: string): Buffer {
  const { body, marker, status } = entry;
  if (status >= 400 && isProblem(entry.headers)) return withLastMember(body, 'instance', JSON.stringify(requestId));
  return marker === undefined ? body : withLastMember(body, marker, String(isFromStore(outcome)));
}

function isProblem(headers: CacheAnswer['entry']['headers']): boolean {
  return headers.some(([name, value]) => name === 'content-type' && value.startsWith('application/problem+json'));
}
