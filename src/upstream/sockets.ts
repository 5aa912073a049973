import { Agent as HttpAgent, type AgentOptions, type ClientRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import { startDeadline } from '../kernel/deadline';

/*
 * All outgoing HTTP sockets are opened here: kept alive, and given up when they do not connect in time.
 */

const OPTIONS: AgentOptions = { keepAlive: true, keepAliveMsecs: 1_000, maxFreeSockets: 64, scheduling: 'lifo' };

export interface Agents {
  readonly http: HttpAgent;
  readonly https: HttpsAgent;
}

export function openAgents(connectTimeoutMs: number): Agents {
  return {
    http: connectingWithin(new HttpAgent(OPTIONS), connectTimeoutMs),
    https: connectingWithin(new HttpsAgent(OPTIONS), connectTimeoutMs),
  };
}

export function closeAgents({ http, https }: Agents): void {
  http.destroy();
  https.destroy();
}

/**
 * A body without a length is whole only if its connection ends without an error (RFC 9112 §8). node accepts any end as a complete body, so
 * its reader must get an error:
 *
 *   1. the reset comes after the last data: node emits the error, and then ends the body
 *   2. the reset comes with the last data: libuv reports an end, not an error; but a connection that was reset has no peer any
 *      more, while one that the peer has closed has
 */
export function failIfReset(request: ClientRequest, response: IncomingMessage): void {
  const { socket, headers } = response;
  request.once('error', (error) => {
    if (!response.complete) response.destroy(error);
  });
  if (headers['content-length'] !== undefined || headers['transfer-encoding'] === 'chunked') return; // node looks at those itself
  const check = (): void => {
    if (response.complete || socket.remoteAddress !== undefined) return;
    response.destroy(Object.assign(new Error('the connection was reset within the body'), { code: 'ECONNRESET' }));
  };
  socket.prependOnceListener('end', check); // before node's own, which ends the body
  response.once('close', () => socket.removeListener('end', check));
}

type Connectable = Pick<HttpAgent, 'createConnection'>;

function connectingWithin<A extends HttpAgent>(agent: A, connectTimeoutMs: number): A {
  const connectable: Connectable = agent;
  const connect = connectable.createConnection.bind(agent);
  connectable.createConnection = (...args: Parameters<typeof connect>): Duplex | null | undefined => {
    const socket = connect(...args) as Socket | undefined;
    if (!socket) return socket;
    const settle = startDeadline(connectTimeoutMs, () => {
      socket.destroy(Object.assign(new Error(`connect timed out after ${connectTimeoutMs} ms`), { code: 'ETIMEDOUT' }));
    });
    socket.once('secureConnect', settle).once('close', settle);
    if (!(agent instanceof HttpsAgent)) socket.once('connect', settle);
    return socket;
  };
  return agent;
}
