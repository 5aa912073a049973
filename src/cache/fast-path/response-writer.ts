import type { FastifyReply, FastifyRequest } from 'fastify';
import { bodyWriter, isLargeBody } from '../../http/body-writer';
import { ClientConnection } from '../../http/client-connection';
import type { ResponseForm } from '../core/http/response-form';
import { endBatched } from './batched-end';
import type { HeadContext, PreparedResponse, Served } from './prepared-response';
import { statusLine } from './serialized-head';

type RawRequest = FastifyRequest['raw'];
type RawResponse = FastifyReply['raw'];

/** A request, the response to it, and the id that both have. */
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
 * A head that is ready goes where node puts the one it makes itself (`OutgoingMessage._header`, the same since node 0.x): so
 * node still does what belongs to the connection, pipelining and keep-alive too.
 */
interface WithHead {
  _header: string;
}

/** Whether there is room for the body among those that clients have not read yet; small ones take none. */
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
 * The one writer of stored responses, for the fast path and for every ordinary way, so that all of them send the same.
 *
 * @returns a promise only for a large body, settled when the client has taken it or has gone
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
    const own = ['x-request-id', id, 'x-response-time', durationMs.toFixed(3)];
    const fields = prepared.fields(form, answer, now, context.edge);
    response.writeHead(status, [...fields, ...own, ...prepared.lengthFields(form)]);
    if (isLargeBody(body)) return bodyWriter.write(new ClientConnection(request, response), response, body);
    response.end(typeof body === 'string' ? Buffer.from(body, 'latin1') : body);
    return undefined;
  }
  const { beforeRequestId, afterTimings } = prepared.serializedHead(form, answer, now, context);
  response.statusCode = status;
  const head = `${statusLine(status)}${beforeRequestId}${id}\r\nx-response-time: ${durationMs.toFixed(3)}${afterTimings}`;
  // A small body goes out with the head as one text, in one write; of two node makes a list of three.
  (response as RawResponse & Partial<WithHead>)._header = typeof body === 'string' ? head + body : head;
  if (isLargeBody(body)) return bodyWriter.write(new ClientConnection(request, response), response, body);
  endBatched(response, typeof body === 'string' ? undefined : body);
  return undefined;
}

/**
 * Whether the whole head is known before node writes it: on an HTTP/1.1 connection that stays, without a limit of requests that node would
 * announce, and without fields that are set already (Fastify sets `Connection: close` while the server ends).
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
