import type { FastifyInstance, FastifyRequest } from 'fastify';

type Server = FastifyInstance['server'];
type Socket = FastifyRequest['raw']['socket'];

/** How long requests of open connections are answered as usual, with `Connection: close`, once the port is closed, in milliseconds. */
const FAREWELL_MS = 500;
/** How often idle connections are closed after that, in milliseconds. */
const IDLE_MS = 100;
/** How long a request whose head has begun to arrive may take for the rest of it, in milliseconds. */
const HEAD_MS = 2_000;

/**
 * Ends the servers without losing requests of connected clients:
 *
 *   1. the ports are closed: a proxy sends a refused request, even a POST, to another replica
 *   2. for a moment each response has `Connection: close` (RFC 9112 §9.6), so that busy clients disconnect by themselves
 *   3. idle connections are closed, and requests under way are completed
 *
 * With 2 before 1, clients would connect again, and closing the port would reset the connections not yet accepted; after a reset no proxy
 * repeats a POST.
 *
 * @param timeoutMs the limit of all of that; then the remaining connections are cut
 */
export function drainOnClose(fastify: FastifyInstance, servers: readonly Server[], timeoutMs: number): void {
  const sockets = new Set<Socket>();
  const handshakes = new Map<string, Socket>();
  for (const server of servers) {
    // For TLS the inner socket: node keeps the response there.
    server.on('setSecureContext' in server ? 'secureConnection' : 'connection', (socket: Socket) => {
      if ('alpnProtocol' in socket && socket.alpnProtocol === 'h2') return; // its streams have connections of their own
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });
    if ('setSecureContext' in server) watchHandshakes(server, handshakes);
    closeIdleLater(server, Math.min(FAREWELL_MS, timeoutMs / 2));
  }
  const others = servers.filter((server) => server !== fastify.server); // Fastify closes its own only
  let closed: Promise<unknown> = Promise.resolve();
  fastify.addHook('onClose', () => closed.then(() => undefined));
  fastify.addHook('preClose', (done) => {
    setTimeout(() => servers.forEach((server) => server.closeAllConnections()), timeoutMs).unref();
    for (const socket of sockets) lastAnswer(socket);
    // An incomplete head, or handshake, is not a request: there is no response to wait for.
    setTimeout(
      () => {
        for (const socket of sockets) if (!hasRequest(socket)) socket.destroy();
        for (const socket of handshakes.values()) socket.destroy();
      },
      Math.min(HEAD_MS, timeoutMs),
    ).unref();
    closed = Promise.all(others.filter(({ listening }) => listening).map(closeServer));
    done();
  });
}

/** Connections whose TLS handshake is not over: a server that closes waits for them, and its `closeAllConnections` does not know them. */
function watchHandshakes(server: Server, handshakes: Map<string, Socket>): void {
  const nameOf = ({ remoteAddress = '', remotePort = 0 }: Socket): string => `${remoteAddress} ${remotePort}`;
  server.prependListener('connection', (socket: Socket) => {
    const name = nameOf(socket);
    handshakes.set(name, socket);
    socket.once('close', () => handshakes.get(name) === socket && handshakes.delete(name));
  });
  server.on('secureConnection', (socket: Socket) => void handshakes.delete(nameOf(socket)));
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

/** Fastify marks the responses of new requests; for requests under way node keeps the response with the socket. */
type WithResponse = Socket & { _httpMessage?: { shouldKeepAlive: boolean } | null };

function hasRequest(socket: WithResponse): boolean {
  return (socket._httpMessage ?? null) !== null;
}

function lastAnswer(socket: WithResponse): void {
  if (socket._httpMessage) socket._httpMessage.shouldKeepAlive = false;
}

/**
 * When the port is closed node closes, once, each connection without a request: also one whose next request is on its way. Such a connection gets
 * a last response; connections that are idle later are closed.
 */
function closeIdleLater(server: Server, farewellMs: number): void {
  const closeIdle = server.closeIdleConnections.bind(server);
  server.closeIdleConnections = () => {
    let timer = setTimeout(() => {
      closeIdle();
      timer = setInterval(closeIdle, IDLE_MS).unref();
    }, farewellMs).unref();
    server.once('close', () => clearTimeout(timer));
  };
}
