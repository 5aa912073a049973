import { Logger } from '@nestjs/common';
import { createRequire } from 'node:module';
import type { Clock } from '../../../kernel/clock';
import type { RedisLink } from '../../../redis/redis-link';
import type { MemoryLimits } from '../memory/memory-tier';
import { KeyValueBackend, type ForeignStore } from './key-value-backend';
import { KeyValueStore } from './key-value-store';

export interface KeyValueSettings {
  /** How the store is called in the log. */
  readonly label: string;
  readonly limits: MemoryLimits;
  readonly keyPrefix: string;
  readonly source?: string | undefined;
  readonly timeoutMs: number;
}

/** What such a store cannot promise, for the log of the start. */
export function adviceFor(label: string): string {
  return (
    `The store is ${label}. It cannot promise: one load across replicas, soft purges, purges by prefix without removing everything, ` +
    'lists and claims of all replicas, hits from memory (docs/guides/bring-your-own-store.md).'
  );
}

/** A store of one's own as the second tier. */
export function openKeyValueStore(
  store: ForeignStore,
  { label, limits, keyPrefix, source, timeoutMs }: KeyValueSettings,
  clock: Clock,
): KeyValueStore {
  const logger = new Logger('Store');
  const onTransition = (problem: string | undefined): void => {
    if (problem === undefined) logger.log(`${label} replies again.`);
    else logger.warn(`${label} does not reply (${problem}): copies in memory are served, purges are refused.`);
  };
  const onError = (problem: string): void => logger.warn(`${label}: ${problem}`);
  const backend = new KeyValueBackend(store, { clock, timeoutMs, onTransition, onError });
  return new KeyValueStore(limits, clock, backend, { name: keyPrefix, source });
}

/**
 * cache-manager-redis-yet over our connection. One that it opens itself has no listener for errors, so that a lost Redis ends the
 * process, and no deadline for commands. Only its `get`, `set` and `del` are used: its other commands ignore the key prefix or empty the database.
 *
 * @throws Error where the package is not installed
 */
export function redisYetOver(link: RedisLink): ForeignStore {
  const client = {
    get: async (name: string) => (await link.send(name, ['GET', name]))?.toString() ?? null,
    set: (name: string, text: string, { PX }: { PX?: number } = {}) =>
      link.send(name, ['SET', name, text, ...(PX === undefined ? [] : ['PX', String(PX)])]),
    del: (name: string) => link.send(name, ['DEL', name]),
  };
  return loadRedisYet().redisInsStore(client);
}

function loadRedisYet(): { redisInsStore(client: object): ForeignStore } {
  const name = 'cache-manager-redis-yet';
  try {
    return createRequire(__filename)(name) as ReturnType<typeof loadRedisYet>;
  } catch (cause) {
    throw new Error(`CACHE_STORE=${name} needs the package: npm install ${name}@5`, { cause });
  }
}
