import type { FastifyReply, FastifyRequest } from 'fastify';
import { millisecondsText } from '../../kernel/milliseconds';
import { bodyWriter, isLargeBody } from '../../server/body-writer';
import { ClientConnection } from '../../server/client-connection';
import type { ResponseForm } from '../law/response-form';
import { endBatched } from './batched-end';
import type { HeadContext, PreparedResponse, Served } from './prepared-response';

type RawRequest = FastifyRequest['raw'];
type RawResponse = FastifyReply['raw'];

/** A request, its response, and their id. */
export interface Exchange {
  readonly request: RawRequest;
  readonly response: RawResponse;
  readonly id: string;
}

/** A prepared response, in the form that the request asks for. */
export interface Sending<Answer extends Served> {
  readonly prepared: PreparedResponse<Answer>;
  readonly answer: Answer;
  readonly form: ResponseForm;
  readonly context: HeadContext;
  readonly now: number;
  readonly durationMs: number;
}

/**
 * A prepared head goes where node puts its own (`OutgoingMessage._header`, unchanged since node 0.x): so node still handles the
 * connection, including pipelining and keep-alive.
 */
interface WithHead {
  _header: string;
}

/** Whether there is room for the body among the unread ones; small bodies need none. */
export function hasRoomFor({ prepared, form }: Pick<Sending<never>, 'prepared' | 'form'>): boolean {
  const body = bodyOf(prepared, form);
  return !isLargeBody(body) || bodyWriter.hasRoomFor(body);
}

/** @throws AppError `overloaded`, before anything is written */
export function requireRoomFor({ prepared, form }: Pick<Sending<never>, 'prepared' | 'form'>): void {
  const body = bodyOf(prepared, form);
  if (isLargeBody(body)) bodyWriter.requireRoomFor(body);
}

/**
 * The one writer of stored responses, for the fast path and for the slow path, so that both send the same.
 *
 * @returns a promise only for a large body, settled when the client has received it or disconnected
 */
export function writeStored<Answer extends Served>(
  exchange: Exchange,
  sending: Sending<Answer>,
): Promise<void> | undefined {
  const { request, response, id } = exchange;
  const { prepared, answer, form, context, now, durationMs } = sending;
  const status = prepared.statusOf(form);
  const isBodiless = request.method === 'HEAD' || status === 204;
  const body = isBodiless ? undefined : bodyOf(prepared, form);
  if (!isSerializable(exchange, context) || !prepared.isWritable) {
    const own = ['x-request-id', id, 'x-response-time', millisecondsText(durationMs)];
    const fields = prepared.fields(form, answer, now, context.edge);
    response.writeHead(status, [...fields, ...own, ...prepared.lengthFields(form)]);
    if (isLargeBody(body)) return bodyWriter.write(new ClientConnection(request, response), response, body);
    response.end(typeof body === 'string' ? Buffer.from(body, 'latin1') : body);
    return undefined;
  }
  const { beforeRequestId, afterTimings } = prepared.serializedHead(form, answer, now, context);
  response.statusCode = status;
  const head = `${beforeRequestId}${id}\r\nx-response-time: ${millisecondsText(durationMs)}${afterTimings}`;
  // A small body is sent with the head as one text, in one write; for two node builds a list of three.
  (response as RawResponse & Partial<WithHead>)._header = typeof body === 'string' ? head + body : head;
  if (isLargeBody(body)) return bodyWriter.write(new ClientConnection(request, response), response, body);
  endBatched(response, typeof body === 'string' ? undefined : body);
  return undefined;
}

/**
 * Whether the whole head is known before node writes it: on a persistent HTTP/1.1 connection, without a request limit for node to
 * announce, and without fields set earlier (Fastify sets `Connection: close` while the server ends).
 */
function isSerializable({ request, response }: Exchange, { server }: HeadContext): boolean {
  const isStaying = response.shouldKeepAlive && request.httpVersion === '1.1';
  return isStaying && !server.maxRequestsPerSocket && response.getHeaderNames().length === 0;
}

function bodyOf(prepared: PreparedResponse<never>, form: ResponseForm): string | Buffer | undefined {
  const { text } = prepared;
  switch (form.kind) {
    case 'whole':
      return text ?? prepared.body;
    case 'part':
      return text?.slice(form.first, form.last + 1) ?? prepared.body.subarray(form.first, form.last + 1);
    case 'not-modified':
    case 'unsatisfiable':
      return undefined;
  }
}
