import { readFileSync } from 'node:fs';
import type { FastifyInstance } from 'fastify';

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

/** Bounds the clients' connections; further ones are closed as soon as they are accepted. */
export function limitConnections(server: FastifyInstance['server'], maxConnections: number | undefined): void {
  server.maxConnections = maxConnections ?? defaultConnections(openFilesLimit());
}
