import { Logger } from '@nestjs/common';
import type { Clock } from '../kernel/clock';
import { ClusterLink } from '../redis/cluster-link';
import { KeyTracking } from '../redis/key-tracking';
import { PrimaryLink } from '../redis/primary-link';
import { FixedPrimary, type PrimarySource } from '../redis/primary-source';
import type { RedisSettings } from '../redis/redis-client-options';
import type { RedisLink } from '../redis/redis-link';
import { SentinelPrimary } from '../redis/sentinel-primary';
import type { CacheStore } from './core/cache-store';
import { MemoryStore } from './core/memory-store';
import type { MemoryLimits } from './core/memory-tier';
import { TieredStore } from './core/tiered-store';
import { forEntries } from './memory-shares';
import { RedisKeys } from './redis/redis-keys';
import { RedisStore } from './redis/redis-store';

/** The store of this process, and the link to Redis behind it, if there is one. */
export interface OpenedStore {
  readonly store: CacheStore;
  readonly link: RedisLink | undefined;
}

/** Without Redis settings everything stays in this process; with them Redis is shared and this process keeps copies. */
export function openStore(redis: RedisSettings | undefined, l1: MemoryLimits, clock: Clock): OpenedStore {
  const limits = { ...l1, maxBytes: forEntries(l1.maxBytes) };
  if (!redis) return { store: new MemoryStore(limits, clock), link: undefined };
  const logger = new Logger('Redis');
  const { link, source } = openLink(redis);
  logTransitions(link, logger);
  const keys = new RedisKeys(redis.keyPrefix);
  const l2 = new RedisStore(link, keys, clock, {
    onGarbage: (key) =>
      logger.warn(`What is at ${JSON.stringify(key)} was not written by this version: removed, counts as a miss.`),
    onRefused: (reply) => logger.warn(`Redis refuses (${reply}): answers go on, what it refuses is not shared.`),
    onRewound: (count) => {
      if (count > 0) logger.warn(`Redis came back with older data than it had: ${count} entries removed.`);
    },
  });
  l2.listen((listener) => new KeyTracking(redis, link, keys.trackedPrefixes, listener, source));
  return { store: new TieredStore(limits, l2, clock), link };
}

function openLink(redis: RedisSettings): { readonly link: RedisLink; readonly source: PrimarySource | undefined } {
  const { mode, nodes } = redis.endpoint;
  if (mode === 'cluster') return { link: new ClusterLink(redis), source: undefined };
  const [node] = nodes;
  if (!node) throw new Error('REDIS_ENDPOINT_URI names no host');
  const source = mode === 'sentinel' ? new SentinelPrimary(redis) : new FixedPrimary(node);
  return { link: new PrimaryLink(redis, source), source };
}

/** One line when Redis goes, one for each new reason, one when it is back. */
function logTransitions(link: RedisLink, logger: Logger): void {
  let told: string | undefined;
  link.onTransition((isUp) => {
    const problem = link.problem;
    if (isUp) logger.log(told === undefined ? 'Connected.' : 'Connected again; the copies in memory are dropped.');
    else if (problem !== told) {
      logger.warn(
        `Not usable (${problem ?? 'unknown'}): answers come from memory and the API, invalidations get 503. Trying again.`,
      );
    }
    told = isUp ? '' : problem;
  });
}
