import type { FastifyInstance, FastifyRequest } from 'fastify';
import { closeSlowBody } from './client-errors';

type Socket = FastifyRequest['raw']['socket'];

export interface StallLimits {
  /** How long a client may make no progress, in milliseconds. */
  readonly stallMs: number;
}

/** How slow a body may come in the long run: as Apache's mod_reqtimeout has it. */
const MIN_BODY_BYTES_PER_SECOND = 500;
/** How long a body may come slower than that, in milliseconds. */
const BODY_GRACE_MS = 20_000;
const LOOK_MS = 1_000;

/** The progress of a connection at the last check. */
interface Progress {
  taken: number;
  /** For how long it has not taken any of what waits for it, in milliseconds. */
  takesNothingMs: number;
  sent: number;
  /** For how long nothing of its body has come. */
  sendsNothingMs: number;
  /** How long the body of its request has been waited for, and the bytes received before. */
  bodyMs: number;
  bodyFrom: number;
}

/** What node keeps with a connection of the request that is being answered. */
interface UnderWay {
  readonly req: FastifyRequest['raw'];
}

/**
 * Closes connections whose clients make no progress: they take nothing of a response that waits for them, or send their body next
 * to not at all (408). The same for every way to answer: it looks at the sockets, so that no response pays for it.
 *
 * A client that waits for us, for the upstream or for its turn, is never cut off here.
 */
export function closeStalledClients(
  fastify: FastifyInstance,
  server: FastifyInstance['server'],
  { stallMs }: StallLimits,
): void {
  const connections = new Map<Socket, Progress>();
  const lookMs = Math.min(LOOK_MS, stallMs / 4);
  const watch = (socket: Socket): void => {
    const { bytesRead: sent } = socket;
    connections.set(socket, { taken: 0, takesNothingMs: 0, sent, sendsNothingMs: 0, bodyMs: 0, bodyFrom: sent });
    socket.once('close', () => connections.delete(socket));
  };
  // With TLS the first is the bare connection, on which no request is.
  server.on('connection', watch).on('secureConnection', watch);
  const look = (): void => {
    for (const [socket, progress] of connections) {
      if (takesNothing(socket, progress, lookMs, stallMs)) socket.destroy();
      else if (sendsTooLittle(socket, progress, lookMs, stallMs)) closeSlowBody(socket);
    }
  };
  const timer = setInterval(look, lookMs).unref();
  fastify.addHook('onClose', (_instance, done) => {
    clearInterval(timer);
    done();
  });
}

function takesNothing(socket: Socket, progress: Progress, lookMs: number, stallMs: number): boolean {
  const taken = socket.bytesWritten - socket.writableLength;
  const isWaiting = socket.writableLength > 0 && taken === progress.taken;
  progress.takesNothingMs = isWaiting ? progress.takesNothingMs + lookMs : 0;
  progress.taken = taken;
  return progress.takesNothingMs >= stallMs;
}

function sendsTooLittle(socket: Socket, progress: Progress, lookMs: number, stallMs: number): boolean {
  const { _httpMessage: response } = socket as { readonly _httpMessage?: UnderWay | null };
  const { bytesRead } = socket;
  if (!response || response.req.complete) {
    [progress.bodyMs, progress.bodyFrom, progress.sendsNothingMs] = [0, bytesRead, 0];
    return false;
  }
  // Received bytes that are not read yet wait for us.
  const isOurTurn = response.req.readableLength > 0;
  const hasCome = bytesRead > progress.sent;
  progress.sent = bytesRead;
  if (isOurTurn || hasCome) progress.sendsNothingMs = 0;
  else progress.sendsNothingMs += lookMs;
  if (!isOurTurn) progress.bodyMs += lookMs;
  const owedMs = ((bytesRead - progress.bodyFrom) / MIN_BODY_BYTES_PER_SECOND) * 1_000;
  return progress.sendsNothingMs >= stallMs || progress.bodyMs > Math.min(BODY_GRACE_MS, stallMs) + owedMs;
}
