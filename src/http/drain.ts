import type { FastifyInstance, FastifyRequest } from 'fastify';

type Server = FastifyInstance['server'];
type Socket = FastifyRequest['raw']['socket'];

/** How long all are answered as ever, and told to close, before the port is closed, in milliseconds. */
const FAREWELL_MS = 500;
/** How long after that a connection may be without a request, in milliseconds. */
const IDLE_MS = 100;
const LOOK_MS = 10;
/** How long a request whose head has begun to arrive may take for the rest of it, in milliseconds. */
const HEAD_MS = 2_000;

/**
 * Has a server end without a loss for who is connected: for a moment each answer says `Connection: close` (RFC 9112 §9.6), so that
 * busy clients leave by themselves; then the port is closed, and what is idle, and the requests under way are waited for.
 *
 * @param timeoutMs how long all of that may take; then what is left is cut
 */
export function drainOnClose(fastify: FastifyInstance, timeoutMs: number): void {
  const { server } = fastify;
  const sockets = new Set<Socket>();
  // Of TLS the inner socket: node keeps the response there.
  server.on('setSecureContext' in server ? 'secureConnection' : 'connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  closeIdleLater(server);
  fastify.addHook('preClose', (done) => {
    setTimeout(() => server.closeAllConnections(), timeoutMs).unref();
    for (const socket of sockets) lastAnswer(socket);
    // A head that does not come to its end is no request: nobody waits for its answer.
    setTimeout(() => {
      for (const socket of sockets) if (!hasRequest(socket)) socket.destroy();
    }, HEAD_MS).unref();
    const until = performance.now() + Math.min(FAREWELL_MS, timeoutMs / 2);
    const look = (): void => {
      if (sockets.size === 0 || performance.now() >= until) done();
      else setTimeout(look, LOOK_MS);
    };
    look();
  });
}

/** Requests that come from now on are told by Fastify; of those under way node keeps the response with the socket. */
type WithResponse = Socket & { _httpMessage?: { shouldKeepAlive: boolean } | null };

function hasRequest(socket: WithResponse): boolean {
  return (socket._httpMessage ?? null) !== null;
}

function lastAnswer(socket: WithResponse): void {
  if (socket._httpMessage) socket._httpMessage.shouldKeepAlive = false;
}

/**
 * When the port is closed node closes, once, each connection without a request: one that was accepted a moment before too, whose
 * request is on its way. They are given that moment, and whatever is idle later does not last either.
 */
function closeIdleLater(server: Server): void {
  const closeIdle = server.closeIdleConnections.bind(server);
  server.closeIdleConnections = () => {
    const timer = setInterval(closeIdle, IDLE_MS).unref();
    server.once('close', () => clearInterval(timer));
  };
}
