import type { FastifyInstance } from 'fastify';

type Server = FastifyInstance['server'];

/** How long a worker pauses after it has accepted a connection, in milliseconds: about what another takes to wake up. */
const PAUSE_MS = 0.05;

/**
 * Spreads connections that arrive together over the workers, which all accept from one listening socket.
 *
 * The kernel wakes every idle worker, and the first one accepts until no connection is waiting: of 50 at once, often all 50, and with
 * keep-alive one core then does all the work. With the pause the others are awake for the next one: 25 to 27 of 50 each, where node's own
 * round robin has 18 to 34. A busy worker accepts less, one that is stopped nothing.
 */
export function acceptInTurn(server: Server): void {
  const neverChanges = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  server.on('connection', () => void Atomics.wait(neverChanges, 0, 0, PAUSE_MS));
}
