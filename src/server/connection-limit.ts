import { readFileSync } from 'node:fs';
import { Logger } from '@nestjs/common';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { networkOf } from '../kernel/network';

type Server = FastifyInstance['server'];
type Socket = FastifyRequest['raw']['socket'];

const MAX_DEFAULT = 10_000;
const REPORT_MS = 60_000;

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
  /** Addresses of proxies, which `perAddress` does not concern. */
  readonly isProxy: (address: string) => boolean;
}

/** Bounds the clients' connections; further ones are closed as soon as they are accepted, and a log line a minute says so. */
export function limitConnections(server: Server, { total, perAddress, isProxy }: ConnectionLimits): void {
  server.maxConnections = total ?? defaultConnections(openFilesLimit());
  const report = closedReport();
  server.on('drop', () => report(`more than ${server.maxConnections} (MAX_CONNECTIONS)`));
  if (perAddress === undefined) return;
  const open = new Map<string, number>();
  // The bare connection also of TLS: before the handshake, which is what costs.
  server.prependListener('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? '';
    if (isProxy(address)) return;
    const network = networkOf(address);
    const count = (open.get(network) ?? 0) + 1;
    open.set(network, count);
    socket.once('close', () => {
      const left = (open.get(network) ?? 1) - 1;
      if (left > 0) open.set(network, left);
      else open.delete(network);
    });
    if (count <= perAddress) return;
    socket.destroy();
    report(`more than ${perAddress} of one address (MAX_CONNECTIONS_PER_ADDRESS)`);
  });
}

/** Logs the first closed connection at once, and the later ones with their number, at most once a minute. */
function closedReport(): (reason: string) => void {
  const logger = new Logger('Connections');
  let closed = 0;
  let loggedAt = -Infinity;
  return (reason) => {
    closed += 1;
    if (performance.now() - loggedAt < REPORT_MS) return;
    logger.warn(`Closed new connections of clients, for there were ${reason}: ${closed} since the last such line.`);
    loggedAt = performance.now();
    closed = 0;
  };
}
