/*
 * The client package, loaded when the first connection is opened: a service without Redis does not pay for it.
 */

type RedisPackage = typeof import('redis');

let loaded: RedisPackage | undefined;

export async function loadRedis(): Promise<RedisPackage> {
  return (loaded ??= await import('redis'));
}

/** Whether it is an error that Redis answered with. */
export function isErrorReply(error: unknown): error is Error {
  return loaded !== undefined && error instanceof loaded.ErrorReply;
}
