import type { FastifyReply, FastifyRequest } from 'fastify';
import { bodyWriter, isLargeBody, PIECE_BYTES } from '../http/body-writer';
import { ClientConnection } from '../http/client-connection';
import { endInBurst } from './burst';
import { statusLine } from './head-text';
import type { HeadText, PreparedAnswer } from './prepared-answer';

type RawRequest = FastifyRequest['raw'];
type RawResponse = FastifyReply['raw'];

/** A request, the response to it, and the id that both have. */
export interface Exchange {
  readonly request: RawRequest;
  readonly response: RawResponse;
  readonly id: string;
}

const NOT_MODIFIED = statusLine(304);

/**
 * A head that is ready goes where node puts the one it makes itself (`OutgoingMessage._header`, the same since node 0.x): so
 * node still does what belongs to the connection, pipelining and keep-alive too.
 */
interface WithHead {
  _header: string;
}

/** What node's server leaves of `maxRequestsPerSocket` on each response: with one, it tells it, and ends the connection. */
interface WithLimit {
  readonly _maxRequestsPerSocket?: number | null;
}

/** Only of a plain HTTP/1.1 exchange on a connection that stays is the end of the head known beforehand. */
export function mayWriteHead(request: RawRequest, response: RawResponse): boolean {
  const { shouldKeepAlive, _maxRequestsPerSocket: limit } = response as RawResponse & WithLimit;
  return shouldKeepAlive && !limit && request.httpVersion === '1.1';
}

/** Whether there is room for the body among those that clients have not read yet; small ones take none. */
export function mayWriteBody(prepared: PreparedAnswer<never>): boolean {
  return prepared.bodyBytes <= PIECE_BYTES || bodyWriter.hasRoomFor(prepared.body);
}

/** Writes what is ready; `earlier` are lines that others want in the head as well. */
export function writeReady(
  { request, response, id }: Exchange,
  prepared: PreparedAnswer<never>,
  { front, back }: HeadText,
  { isNotModified, durationMs, earlier = '' }: { isNotModified: boolean; durationMs: number; earlier?: string },
): void {
  const first = isNotModified ? NOT_MODIFIED : prepared.statusLine;
  response.statusCode = isNotModified ? 304 : prepared.status;
  const head = `${first}${earlier}${front}${id}\r\nx-response-time: ${durationMs.toFixed(3)}${back}`;
  const isBodiless = isNotModified || request.method === 'HEAD';
  // A small body goes out with the head as one text, in one write; of two node makes a list of three.
  const { text } = prepared;
  (response as RawResponse & Partial<WithHead>)._header = isBodiless || text === undefined ? head : head + text;
  const body = isBodiless || text !== undefined ? undefined : prepared.body;
  if (isLargeBody(body)) void bodyWriter.write(new ClientConnection(request, response), response, body);
  else endInBurst(response, body);
}
