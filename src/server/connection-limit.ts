import { readFileSync } from 'node:fs';
import { networkOf } from '../kernel/network';
import type { FastifyInstance, FastifyRequest } from 'fastify';

type Server = FastifyInstance['server'];
type Socket = FastifyRequest['raw']['socket'];

const MAX_DEFAULT = 10_000;

/** How many files this process may open, sockets included; undefined if the system does not say. */
export function openFilesLimit(): number | undefined {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined; // another system than Linux
  }
}

/** Half of the files that the process may open: the rest is for connections to the upstream and to Redis. */
export function defaultConnections(openFiles: number | undefined): number {
  return Math.max(1, Math.min(MAX_DEFAULT, Math.floor((openFiles ?? Infinity) / 2)));
}

export interface ConnectionLimits {
  readonly total: number | undefined;
  /** For each address; undefined for no limit, since a proxy has one address for all of its clients. */
  readonly perAddress: number | undefined;
}

/** Bounds the clients' connections; further ones are closed as soon as they are accepted. */
export function limitConnections(server: Server, { total, perAddress }: ConnectionLimits): void {
  server.maxConnections = total ?? defaultConnections(openFilesLimit());
  if (perAddress === undefined) return;
  const open = new Map<string, number>();
  // The bare connection also of TLS: before the handshake, which is what costs.
  server.prependListener('connection', (socket: Socket) => {
    const network = networkOf(socket.remoteAddress ?? '');
    const count = (open.get(network) ?? 0) + 1;
    open.set(network, count);
    socket.once('close', () => {
      const left = (open.get(network) ?? 1) - 1;
      if (left > 0) open.set(network, left);
      else open.delete(network);
    });
    if (count > perAddress) socket.destroy();
  });
}
