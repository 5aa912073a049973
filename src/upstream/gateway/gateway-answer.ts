import type { FastifyReply, FastifyRequest } from 'fastify';
import type { HeaderList, StoredAnswer, StreamedAnswer } from '../../cache';
import { isNotModified, responseForm } from '../../cache/law';
import { requireRoomFor, writeStored, type HeadContext, type PreparedResponse } from '../../cache/fast-path';
import { bodyWriter, isLargeBody } from '../../server/body-writer';
import type { ClientConnection } from '../../server/client-connection';
import { AppError } from '../../kernel/app-error';
import { millisecondsText } from '../../kernel/milliseconds';
import { missingEdgeFields, fieldsOfCache, notModifiedFields } from './gateway-fields';

/** What every response of the gateway has beside what the upstream said. */
export interface AnswerContext {
  readonly client: ClientConnection;
  readonly key: string;
  readonly now: number;
  /** The fields that the edge adds where the upstream has not set them. */
  readonly head: HeadContext;
  readonly rewrite: (headers: HeaderList) => HeaderList;
  /** Called when the head, and a small body, are on their way: no client waits for metrics and logs. */
  readonly onSent: () => void;
}

interface Outgoing {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: Buffer | AsyncIterable<Buffer> | undefined;
  readonly contentLength: number | undefined;
}

/** Sends a prepared response in the form that the request asks for, by the writer of the fast path. */
export async function sendStored(
  { raw, id }: FastifyRequest,
  asked: HeaderList,
  reply: FastifyReply,
  answer: StoredAnswer,
  prepared: PreparedResponse<StoredAnswer>,
  { now, head: context, onSent }: Pick<AnswerContext, 'now' | 'head' | 'onSent'>,
): Promise<void> {
  const form = responseForm(raw.method, asked, prepared);
  requireRoomFor({ prepared, form });
  reply.hijack();
  const exchange = { request: raw, response: reply.raw, id };
  const sending = writeStored(exchange, { prepared, answer, form, context, now, durationMs: reply.elapsedTime });
  onSent();
  await sending;
}

/** Sends a response as it comes: status, fields and body are the upstream's own, with what the cache adds. */
export async function sendStreamed(
  request: FastifyRequest,
  asked: HeaderList,
  reply: FastifyReply,
  answer: StreamedAnswer,
  context: AnswerContext,
): Promise<void> {
  const { status, headers: received, body, contentLength } = outgoing(asked, answer, context.now);
  const isBodiless = request.method === 'HEAD' || status === 204 || status === 304;
  const isStreamed = !isBodiless && body !== undefined && !Buffer.isBuffer(body);
  const begun = isStreamed ? await beginning(body, context.client) : undefined;
  if (isStreamed && !begun) return; // the client has disconnected
  const headers = context.rewrite(received);
  const fields = [
    ...headers.flat(),
    ...fieldsOfCache(answer, context.key, context.now),
    ...missingEdgeFields(headers, context.head.edge),
    ...['x-request-id', request.id, 'x-response-time', millisecondsText(reply.elapsedTime)],
  ];
  if (contentLength !== undefined) fields.push('content-length', String(contentLength));
  if (!isBodiless && isLargeBody(body)) bodyWriter.requireRoomFor(body);
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(status, fields);
  const sending = begun ? pump(begun, raw, context.client) : send(raw, body, isBodiless, context.client);
  context.onSent();
  await sending;
}

/** A body in memory is sent at once. */
function send(
  raw: FastifyReply['raw'],
  body: Outgoing['body'],
  isBodiless: boolean,
  client: ClientConnection,
): Promise<void> | undefined {
  if (!isBodiless && isLargeBody(body)) return bodyWriter.write(client, raw, body);
  const isAtHand = body === undefined || Buffer.isBuffer(body);
  raw.end(isAtHand && !isBodiless ? body : undefined);
  return isAtHand ? undefined : stop(body);
}

/** A load is sent without its client's conditions, which apply here; a forwarded response already reflects them. */
function outgoing(asked: HeaderList, { status, headers, body, outcome }: StreamedAnswer, now: number): Outgoing {
  if (outcome !== 'BYPASS' && status === 200 && isNotModified(asked, headers, now))
    return { status: 304, headers: notModifiedFields(headers), body, contentLength: undefined };
  const isWhole = Buffer.isBuffer(body) && status !== 204 && status !== 304;
  // RFC 9110 §8.6: no length of a 204
  const kept = isWhole || status === 204 ? headers.filter(([name]) => name !== 'content-length') : headers;
  return { status, headers: kept, body, contentLength: isWhole ? body.length : undefined };
}

/** A body whose first chunk has come. */
interface BegunBody {
  readonly first: IteratorResult<Buffer>;
  readonly rest: AsyncIterator<Buffer>;
}

/**
 * Waits for the first chunk, before the head is written, which node sends with it anyway: a body that fails before it is an error that a client
 * can read. Undefined for a client that has disconnected.
 */
async function beginning(body: AsyncIterable<Buffer>, client: ClientConnection): Promise<BegunBody | undefined> {
  const rest = body[Symbol.asyncIterator]();
  try {
    const first = await client.race(rest.next());
    if (first) return { first, rest };
  } catch (error) {
    if (error instanceof AppError) throw error;
    const text = 'The body of the upstream’s response broke off, or is not in its Content-Encoding.';
    throw new AppError('upstream-invalid', text, { cause: error });
  }
  await rest.return?.();
  return undefined;
}

/** Chunk by chunk, no faster than the client reads. A body that breaks off aborts the response: it never looks complete. */
async function pump({ first, rest }: BegunBody, raw: FastifyReply['raw'], client: ClientConnection): Promise<void> {
  try {
    for (let step: IteratorResult<Buffer> | undefined = first; ; step = await client.race(rest.next())) {
      if (step === undefined) return;
      if (step.done === true) break;
      if (!raw.write(step.value)) await client.drained();
    }
    raw.end();
  } catch {
    abort(raw);
  } finally {
    await rest.return?.();
  }
}

/**
 * The head is sent: aborting is the only way to signal an incomplete body. To a client of HTTP/1.0 a body without a length ends with its
 * connection (RFC 9112 §6.3): only a reset tells that it is not whole. TLS lacks its own closing message then.
 */
function abort(raw: FastifyReply['raw']): void {
  const { socket, req } = raw;
  if (req.httpVersionMinor === 0 && socket && !('encrypted' in socket)) socket.resetAndDestroy();
  else raw.destroy();
}

async function stop(body: AsyncIterable<Buffer>): Promise<void> {
  await body[Symbol.asyncIterator]().return?.();
}
