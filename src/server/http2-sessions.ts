import type { FastifyInstance } from 'fastify';
import { request as httpRequest } from 'node:http';
import { constants, createSecureServer, type Http2Session, type ServerHttp2Stream } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { framed, headOf, type RequestHead } from './http2-fields';
import { socketPair } from './stream-socket';

/*
 * HTTP/2 (RFC 9113) beside HTTP/1.1 on a TLS port, chosen by the client (ALPN).
 *
 * Each stream is carried as one HTTP/1.1 exchange over a connection in memory to the same server. So everything that holds for HTTP/1.1 holds
 * here: framing, limits, time-outs of slow clients, the fast path, and one writer of responses. It costs a second parsing, about 0.1 ms a
 * request; the connections of HTTP/1.1 are not touched.
 */

type Server = FastifyInstance['server'];

/** As many requests as a pipeline of HTTP/1.1 may have under way. */
const MAX_STREAMS = 100;
/** The bytes that a session may receive before one of its streams is read: one upload that waits must not hold up the others. */
const SESSION_WINDOW_BYTES = 1_048_576;
const LIMITS = {
  maxSessionMemory: 10, // MB
  maxSessionInvalidFrames: 100,
  maxSessionRejectedStreams: 100,
  maxOutstandingSettings: 10,
  maxOutstandingPings: 10,
  maxHeaderListPairs: 2_000,
  maxSettings: 32,
  // Streams that a client opens and resets ("rapid reset", CVE-2023-44487): more ends the session.
  streamResetBurst: 200,
  streamResetRate: 33,
  settings: { maxConcurrentStreams: MAX_STREAMS, maxHeaderListSize: 16_384 },
};
/** How long new streams are still accepted after the announcement that the session ends, in milliseconds. */
const FAREWELL_MS = 100;
const LAST_STREAM_ID = 2 ** 31 - 1;

/** The HTTP/2 sessions of one TLS server. */
export class Http2Sessions {
  private readonly sessions = new Set<Http2Session>();
  private readonly http2 = createSecureServer(LIMITS);
  private isEnding = false;

  /** @param server with `h2` among its ALPN protocols, and without listeners but node's own */
  constructor(private readonly server: Server) {
    const [serveHttp1] = server.listeners('secureConnection');
    server.removeAllListeners('secureConnection');
    server.on('secureConnection', (socket: TLSSocket) => {
      if (socket.alpnProtocol === 'h2') this.http2.emit('secureConnection', socket);
      else serveHttp1?.call(server, socket);
    });
    this.http2.on('session', (session) => this.begin(session));
    this.http2.on('sessionError', () => undefined); // a client's fault: node has ended the session
  }

  /**
   * Ends the sessions gracefully (RFC 9113 §6.8): the client opens no more streams, and the requests under way are answered.
   *
   * @param stallMs how long a client may take nothing of a response that is on its way
   */
  setUp(
    fastify: FastifyInstance,
    { stallMs, timeoutMs }: { readonly stallMs: number; readonly timeoutMs: number },
  ): void {
    this.http2.on('stream', (...[stream, , , rawHeaders]: [ServerHttp2Stream, unknown, unknown, string[]]) =>
      serveStream(stream, rawHeaders, this.server, stallMs),
    );
    fastify.addHook('preClose', (done) => {
      this.isEnding = true;
      for (const session of this.sessions) end(session);
      setTimeout(() => this.sessions.forEach((session) => session.destroy()), timeoutMs).unref();
      done();
    });
  }

  private begin(session: Http2Session): void {
    this.sessions.add(session);
    session.once('close', () => this.sessions.delete(session));
    session.setLocalWindowSize(SESSION_WINDOW_BYTES);
    // Ends when its streams have: one that waits for the upstream is not cut off.
    session.setTimeout(this.server.keepAliveTimeout, () => session.close());
    if (this.isEnding) end(session);
  }
}

function end(session: Http2Session): void {
  if (session.destroyed || session.closed) return;
  session.goaway(constants.NGHTTP2_NO_ERROR, LAST_STREAM_ID);
  setTimeout(() => session.close(), FAREWELL_MS).unref();
}

function serveStream(stream: ServerHttp2Stream, rawHeaders: readonly string[], server: Server, stallMs: number): void {
  stream.on('error', () => undefined); // followed by `close`
  const head = headOf(rawHeaders, stream.endAfterHeaders);
  if (head === 'malformed')
    stream.close(constants.NGHTTP2_PROTOCOL_ERROR); // RFC 9113 §8.1.1
  else if (head === 'not-implemented')
    stream.respond({ ':status': 501, 'x-content-type-options': 'nosniff' }, { endStream: true });
  else exchange(stream, head, server, stallMs);
}

function exchange(stream: ServerHttp2Stream, head: RequestHead, server: Server, stallMs: number): void {
  const { socket } = stream.session ?? {};
  const [near, far] = socketPair(socket);
  let request: ReturnType<typeof httpRequest>;
  try {
    request = httpRequest({ ...head, createConnection: () => near });
  } catch {
    stream.close(constants.NGHTTP2_PROTOCOL_ERROR); // characters that HTTP/1.1 has no place for
    return;
  }
  stream.once('close', () => near.destroy());
  server.emit('secureConnection', far);
  // RFC 9113 §8.1: the only way to signal an incomplete response. `close` would end the body first (END_STREAM), as if it were complete.
  const fail = (error: Error): void => void stream.destroy(error);
  request.on('error', fail);
  request.on('continue', () => !stream.headersSent && stream.additionalHeaders({ ':status': 100 }));
  request.on('response', (response) => {
    if (stream.destroyed || stream.closed) return;
    const hasTrailers = response.headers.trailer !== undefined;
    stream.respond(framed(response.statusCode ?? 500, response.rawHeaders), { waitForTrailers: hasTrailers });
    if (hasTrailers) stream.once('wantTrailers', () => stream.sendTrailers(response.trailers));
    response.on('error', fail);
    response.once('end', () => stream.setTimeout(stallMs, () => stream.close(constants.NGHTTP2_CANCEL)));
    // An answer before the whole request: the client need not send the rest (RFC 9113 §8.1).
    stream.once('finish', () => stream.readableEnded || stream.close(constants.NGHTTP2_NO_ERROR));
    if (stream.writableEnded) response.resume();
    else response.pipe(stream);
  });
  if (stream.endAfterHeaders) {
    request.end();
    return;
  }
  stream.on('trailers', (trailers) => request.addTrailers(trailers));
  stream.pipe(request, { end: false });
  // A stream that the client has reset, or whose connection is lost, ends as well: its body must not look complete.
  stream.once('end', () => (stream.closed ? near.destroy() : request.end()));
}
