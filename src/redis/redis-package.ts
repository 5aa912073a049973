import type { RedisClientOptions } from 'redis';

/*
 * The client package, loaded when the first connection is opened: a service without Redis does not pay for it.
 */

type RedisPackage = typeof import('redis');
export type NodeClient = ReturnType<RedisPackage['createClient']>;

let loaded: RedisPackage | undefined;
let createFrom: ReturnType<RedisPackage['RedisClient']['factory']> | undefined;

export async function loadRedis(): Promise<RedisPackage> {
  return (loaded ??= await import('redis'));
}

/**
 * Creates a client of one node. The package's own `createClient` builds a class of all commands and modules anew for each client whose options
 * differ from the last one's: every attempt to connect would cost about 20 ms of CPU time.
 */
export async function createNodeClient(options: RedisClientOptions): Promise<NodeClient> {
  const { RedisClient } = await loadRedis();
  createFrom ??= RedisClient.factory({ RESP: 3 });
  return createFrom(options as Parameters<typeof createFrom>[0]) as NodeClient;
}

/** Whether it is an error that Redis answered with. */
export function isErrorReply(error: unknown): error is Error {
  return loaded !== undefined && error instanceof loaded.ErrorReply;
}
