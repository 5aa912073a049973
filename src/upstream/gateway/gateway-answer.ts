import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  identityLength,
  isNotModified,
  rangeMayApply,
  rangeOf,
  valueOf,
  type CacheEntry,
  type FlatFields,
  type HeaderList,
  type HttpAnswer,
} from '../../cache';
import { bodyWriter, isLargeBody } from '../../http/body-writer';
import type { ClientConnection } from '../../http/client-connection';
import { edgeFieldsBeside, fieldsOfCache, keptOfNotModified } from './gateway-fields';

/** What is said of every answer of the gateway beside what the upstream said. */
export interface AnswerContext {
  readonly client: ClientConnection;
  readonly key: string;
  readonly now: number;
  /** Fields that the edge adds to every answer, where the upstream has not set them. */
  readonly edge: FlatFields;
  readonly rewrite: (headers: HeaderList) => HeaderList;
  /** The body of what is stored, without the coding it is stored in. */
  readonly bodyOf: (entry: CacheEntry) => Buffer | Promise<Buffer>;
  /** Called when the head, and the body where it is at hand, are on their way: what is to be told keeps no client waiting. */
  readonly onSent: () => void;
}

interface Outgoing {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: Buffer | AsyncIterable<Buffer> | undefined;
  readonly contentLength: number | undefined;
}

/** Statuses of answers that may not tell a length (RFC 9110 §8.6). */
const HAS_NO_LENGTH: ReadonlySet<number> = new Set([204]);

/** Writes an answer as it is: status, fields and body are the upstream's own, with what the cache has to say. */
export async function writeAnswer(
  request: FastifyRequest,
  asked: HeaderList,
  reply: FastifyReply,
  answer: HttpAnswer,
  context: AnswerContext,
): Promise<void> {
  const outgoing =
    answer.kind === 'stored'
      ? await fromEntry(request, asked, answer.entry, context)
      : asItComes(asked, answer, context.now);
  const { status, body, contentLength } = outgoing;
  const headers = context.rewrite(outgoing.headers);
  const fields = [
    ...headers.flat(),
    ...fieldsOfCache(answer, context.key, context.now),
    ...edgeFieldsBeside(headers, context.edge),
    ...['x-request-id', request.id, 'x-response-time', reply.elapsedTime.toFixed(3)],
  ];
  if (contentLength !== undefined) fields.push('content-length', String(contentLength));
  const isBodiless = request.method === 'HEAD' || status === 204 || status === 304;
  if (!isBodiless && isLargeBody(body)) bodyWriter.requireRoomFor(body);
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(status, fields);
  const sending = send(raw, body, isBodiless, context.client);
  context.onSent();
  await sending;
}

/** What is at hand is sent at once. */
function send(
  raw: FastifyReply['raw'],
  body: Outgoing['body'],
  isBodiless: boolean,
  client: ClientConnection,
): Promise<void> | undefined {
  if (!isBodiless && isLargeBody(body)) return bodyWriter.write(client, raw, body);
  const isAtHand = body === undefined || Buffer.isBuffer(body);
  if (!isAtHand && !isBodiless) return pump(body, raw, client);
  raw.end(isBodiless ? undefined : body);
  return isAtHand ? undefined : stop(body);
}

async function fromEntry(
  request: FastifyRequest,
  asked: HeaderList,
  entry: CacheEntry,
  { bodyOf }: AnswerContext,
): Promise<Outgoing> {
  const headers = entry.headers.filter(([name]) => name !== 'content-length');
  if (entry.status === 200 && isNotModified(asked, entry.headers, entry.storedAt)) return notModified(headers);
  const length = identityLength(entry);
  const range = request.method === 'GET' ? valueOf(asked, 'range') : undefined;
  if (range !== undefined && entry.status === 200 && rangeMayApply(asked, entry.headers)) {
    const part = rangeOf(range, length);
    if (part.kind === 'unsatisfiable') {
      const unsatisfiable: HeaderList = [
        ...headers.filter(([name]) => name === 'via'),
        ['content-range', `bytes */${length}`],
      ];
      return { status: 416, headers: unsatisfiable, body: Buffer.alloc(0), contentLength: 0 };
    }
    if (part.kind === 'part') {
      const body = (await bodyOf(entry)).subarray(part.first, part.last + 1);
      const field = ['content-range', `bytes ${part.first}-${part.last}/${length}`] as const;
      return { status: 206, headers: [...headers, field], body, contentLength: body.length };
    }
  }
  const hasBody = !HAS_NO_LENGTH.has(entry.status);
  if (request.method === 'HEAD')
    return { status: entry.status, headers, body: undefined, contentLength: hasBody ? length : undefined };
  return {
    status: entry.status,
    headers,
    body: hasBody ? await bodyOf(entry) : undefined,
    contentLength: hasBody ? length : undefined,
  };
}

/** A load asks without its client's conditions, which are heeded here; what was forwarded with them is left as it is. */
function asItComes(
  asked: HeaderList,
  { status, headers, body, outcome }: Extract<HttpAnswer, { kind: 'streamed' }>,
  now: number,
): Outgoing {
  if (outcome !== 'BYPASS' && status === 200 && isNotModified(asked, headers, now)) return notModified(headers, body);
  const isWhole = Buffer.isBuffer(body) && status !== 204 && status !== 304;
  const isOurs = isWhole || HAS_NO_LENGTH.has(status);
  const kept = isOurs ? headers.filter(([name]) => name !== 'content-length') : headers;
  return { status, headers: kept, body, contentLength: isWhole ? body.length : undefined };
}

/** @param body what is not sent of it, to be stopped */
function notModified(headers: HeaderList, body?: Outgoing['body']): Outgoing {
  return { status: 304, headers: keptOfNotModified(headers), body, contentLength: undefined };
}

/** Chunk by chunk, no faster than the client reads; a body that breaks off breaks the answer off, never shown as whole. */
async function pump(body: AsyncIterable<Buffer>, raw: FastifyReply['raw'], client: ClientConnection): Promise<void> {
  const iterator = body[Symbol.asyncIterator]();
  try {
    for (;;) {
      const step = await client.race(iterator.next());
      if (step === undefined) return;
      if (step.done === true) break;
      if (!raw.write(step.value)) await client.drained();
    }
    raw.end();
  } catch {
    raw.destroy(); // the head is out: all that can be said is that this was not all
  } finally {
    await iterator.return?.();
  }
}

async function stop(body: AsyncIterable<Buffer>): Promise<void> {
  await body[Symbol.asyncIterator]().return?.();
}
