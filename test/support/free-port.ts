import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Ports for test servers. They are taken below 32768, the start of Linux' range for outgoing connections: a server that is
 * killed and restarted on its port must not find it taken by a client's socket, nor may a client that retries a dead
 * server's port connect to itself.
 */
const LOWEST = 10_000;
const BEHIND_HIGHEST = 32_768;
const CLUSTER_BUS_OFFSET = 10_000;

/**
 * Each worker of a Jest run has ports of its own: what one has been given is still free for another that looks before its server listens,
 * or while that is down.
 */
const SHARES = 16;
const share = Number(process.env['JEST_WORKER_ID'] ?? 0) % SHARES;

/** Ports this process was given are not given again: their server may not listen yet. */
const given = new Set<number>();

export function freePort(): Promise<number> {
  return findPort(BEHIND_HIGHEST, (port) => [port]);
}

/** A port whose cluster bus (the port plus 10000) is free as well. */
export function freeClusterPort(): Promise<number> {
  return findPort(BEHIND_HIGHEST - CLUSTER_BUS_OFFSET, (port) => [port, port + CLUSTER_BUS_OFFSET]);
}

async function findPort(behindHighest: number, portsOf: (port: number) => number[]): Promise<number> {
  for (let tries = 0; tries < 1000; tries += 1) {
    const port = LOWEST + randomInt(Math.floor((behindHighest - LOWEST) / SHARES)) * SHARES + share;
    const ports = portsOf(port);
    if (ports.some((one) => given.has(one))) continue;
    const areFree = await Promise.all(ports.map(isFree));
    if (!areFree.every(Boolean) || ports.some((one) => given.has(one))) continue;
    for (const one of ports) given.add(one);
    return port;
  }
  throw new Error(`No free port found between ${LOWEST} and ${behindHighest} on 127.0.0.1; stop some servers.`);
}

/** True if nobody listens on the port, on any address. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, () => server.close(() => resolve(true)));
  });
}
