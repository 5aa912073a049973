import { Agent as HttpAgent, type AgentOptions } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Duplex } from 'node:stream';
import type { Socket } from 'node:net';

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

type Connectable = Pick<HttpAgent, 'createConnection'>;

function connectingWithin<A extends HttpAgent>(agent: A, connectTimeoutMs: number): A {
  const connectable: Connectable = agent;
  const connect = connectable.createConnection.bind(agent);
  connectable.createConnection = (...args: Parameters<typeof connect>): Duplex | null | undefined => {
    const socket = connect(...args) as Socket | undefined;
    if (!socket) return socket;
    const timer = setTimeout(() => {
      socket.destroy(Object.assign(new Error(`connect timed out after ${connectTimeoutMs} ms`), { code: 'ETIMEDOUT' }));
    }, connectTimeoutMs);
    const settle = (): void => clearTimeout(timer);
    socket.once('secureConnect', settle).once('close', settle);
    if (!(agent instanceof HttpsAgent)) socket.once('connect', settle);
    return socket;
  };
  return agent;
}
