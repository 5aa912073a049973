import { Logger } from '@nestjs/common';
import { SystemClock, type Clock } from '../../kernel/clock';
import { currentTracer } from '../../kernel/tracer';
import { subscribeChannels } from '../../redis/channel-subscription';
import { ClusterLink } from '../../redis/cluster-link';
import { KeyTracking } from '../../redis/key-tracking';
import { outageMessage, refusalMessage } from '../../redis/outage-message';
import { PrimaryLink } from '../../redis/primary-link';
import type { RedisSettings } from '../../redis/redis-client-options';
import type { RedisLink } from '../../redis/redis-link';
import { ReplicaMessages } from '../../redis/replica-messages';
import { addCommandSpans } from '../../redis/traced-commands';
import type { CacheStore } from './cache-store';
import { MemoryStore } from './memory/memory-store';
import type { MemoryLimits } from './memory/memory-tier';
import { looksLikeIndex } from '../model/resource-index';
import { TieredStore } from './tiered-store';
import { openIpcStore } from './ipc/ipc-store';
import { StoreHost } from './ipc/store-host';
import type { StorePort } from './ipc/store-messages';
import type { ForeignStore } from './key-value/key-value-backend';
import { adviceFor, openKeyValueStore, redisYetOver } from './key-value/open-key-value-store';
import { fitted, forEntries, processMemory } from './memory/memory-shares';
import { RedisKeys } from './redis/redis-keys';
import { RedisStore } from './redis/redis-store';
import { CacheEvents } from '../engine/cache-events';

/** The store of this process, and the link to Redis behind it, if there is one. */
export interface OpenedStore {
  readonly store: CacheStore;
  readonly link: RedisLink | undefined;
  /** Silent where there is no Redis. */
  readonly messages: ReplicaMessages;
  /** The promises that the store cannot give: logged once at the start. */
  readonly advice?: string;
  /** Listens to the channel of invalidations, where there is a Redis to publish on. */
  readonly subscribe?: (onMessage: (message: Buffer) => void) => Subscription;
}

export interface Subscription {
  close(): Promise<void>;
}

export const OPENED_STORE = Symbol('larder.opened-store');

/** How long a worker waits for the process that keeps the entries of all, in milliseconds. */
const IPC_TIMEOUT_MS = 1_000;

/** The store to open: by name, or a Keyv, an adapter of Keyv's or a store of cache-manager. */
export type StoreChoice = 'redis' | 'memory' | 'cache-manager-redis-yet' | ForeignStore;

export interface StoreSettings {
  readonly redis?: RedisSettings | undefined;
  readonly port?: StorePort | undefined;
  /** Absent: Redis where there are settings for it, else memory. */
  readonly store?: StoreChoice | undefined;
}

const FOREIGN_TIMEOUT_MS = 1_000;

/**
 * With Redis settings Redis is shared and this process keeps copies; without them another process of this service may be
 * shared likewise; else everything stays in this process.
 */
export function openStore(
  settings: StoreSettings,
  l1: MemoryLimits,
  clock: Clock,
  events = new CacheEvents(),
): OpenedStore {
  const limits = { ...l1, maxBytes: forEntries(l1.maxBytes) };
  const { store: choice, port, redis } = settings;
  if (typeof choice === 'object') {
    const own = { label: 'one of your own', limits, keyPrefix: redis?.keyPrefix ?? 'larder', source: redis?.source };
    return withoutRedis(
      openKeyValueStore(choice, { ...own, timeoutMs: FOREIGN_TIMEOUT_MS }, clock),
      adviceFor(own.label),
    );
  }
  if (redis && choice === 'cache-manager-redis-yet') {
    const link = openLink(redis);
    logTransitions(link, redis, new Logger('Redis'));
    const { keyPrefix, source, commandTimeoutMs } = redis;
    const own = { label: choice, limits, keyPrefix, source, timeoutMs: 2 * commandTimeoutMs };
    const store = openKeyValueStore({ ...redisYetOver(link), disconnect: () => link.close() }, own, clock);
    return { ...withoutRedis(store, adviceFor(choice)), link };
  }
  if (redis && choice !== 'memory') return openRedis(redis, limits, clock, events);
  if (choice === 'redis' || choice === 'cache-manager-redis-yet')
    throw new Error(`The store ${choice} needs Redis: give REDIS_ENDPOINT_URI.`);
  if (port) return withoutRedis(new TieredStore(limits, openIpcStore(port, IPC_TIMEOUT_MS), clock));
  return withoutRedis(new MemoryStore(limits, clock));
}

/** A store that publishes nothing. */
function withoutRedis(store: CacheStore, advice?: string): OpenedStore {
  return { store, link: undefined, messages: new ReplicaMessages(), ...(advice !== undefined && { advice }) };
}

function openRedis(redis: RedisSettings, limits: MemoryLimits, clock: Clock, events: CacheEvents): OpenedStore {
  const lost = events.bookkeepingLost;
  const logger = new Logger('Redis');
  const link = openLink(redis);
  logTransitions(link, redis, logger);
  const logUnindexed = onceUntilReconnected(link, (key) =>
    logger.warn(
      `What Redis has of ${JSON.stringify(key)} is not in the index of its tags any more (evicted or deleted): removed, counts as a miss. ` +
        'More of these are not logged until Redis is connected again.',
    ),
  );
  const keys = new RedisKeys(redis.keyPrefix, redis.source);
  const l2 = new RedisStore(link, keys, clock, {
    onGarbage: (key) =>
      logger.warn(
        `The value of ${JSON.stringify(key)} was not written by this version, or not for this API: removed, counts as a miss.`,
      ),
    onUnindexed: (key) => {
      lost.index += 1;
      logUnindexed(key);
    },
    onLedgerLost: () => (lost.ledger += 1),
    onRefused: (reply) => logger.warn(`Redis refuses (${reply}): answers go on, what it refuses is not shared.`),
    onRewound: (count) => {
      lost.history += 1;
      if (count > 0) logger.warn(`Redis came back with older data than it had: ${count} entries removed.`);
    },
    onOverdue: () => logger.warn('An invalidation is not confirmed: nothing is read from Redis until it is.'),
    onSettled: (count) => logger.log(`${count} invalidations that were not confirmed are done.`),
    onStored: (entry, bytes) =>
      events.stored({ upstream: entry.upstream, kind: looksLikeIndex(entry) ? 'index' : 'response', bytes }),
  });
  const onDeaf = logRefusals('tracking', keys.channel, logger);
  l2.listen((listener) => new KeyTracking(redis, link, keys.trackedPrefixes, { ...listener, onDeaf }));
  const messages = new ReplicaMessages(link, keys.liveChannel);
  const live = {
    name: keys.liveChannel,
    onMessage: (message: Buffer) => messages.receive(message),
    onRefused: logRefusals('live', keys.liveChannel, logger),
  };
  const subscribe = (onMessage: (message: Buffer) => void): Subscription =>
    subscribeChannels(
      redis,
      link,
      [{ name: keys.channel, onMessage }, live],
      logRefusals('channel', keys.channel, logger),
    );
  return { store: new TieredStore(limits, l2, clock), link, messages, subscribe };
}

/** The store of a service of several workers without Redis: its primary process keeps it for them. */
export function hostStore(limits: MemoryLimits, processes: number): StoreHost {
  return new StoreHost(new MemoryStore(fitted(limits, processMemory(processes)), new SystemClock()));
}

/** The connection to Redis, for every deployment. */
export function openLink(redis: RedisSettings): RedisLink {
  const link = redis.endpoint.mode === 'cluster' ? new ClusterLink(redis) : new PrimaryLink(redis);
  const tracer = currentTracer();
  if (tracer) addCommandSpans(link, tracer);
  return link;
}

/** Reports the first event, and the first after each reconnect. */
function onceUntilReconnected(link: RedisLink, report: (key: string) => void): (key: string) => void {
  let isReported = false;
  link.onTransition(() => (isReported = false));
  return (key) => {
    if (!isReported) report(key);
    isReported = true;
  };
}

/** One line when Redis goes, one for each new reason, one when it is back. */
function logTransitions(link: RedisLink, { endpoint }: RedisSettings, logger: Logger): void {
  let reported: string | undefined;
  link.onTransition((isUp) => {
    const problem = link.problem;
    if (isUp) logger.log(reported === undefined ? 'Connected.' : 'Connected again; the copies in memory are dropped.');
    else if (problem !== reported) logger.warn(outageMessage(problem ?? 'unknown', endpoint));
    reported = isUp ? '' : problem;
  });
}

/** One line for each new reason. */
function logRefusals(
  what: 'tracking' | 'channel' | 'live',
  channel: string,
  logger: Logger,
): (problem: string) => void {
  let reported: string | undefined;
  return (problem) => {
    const message = refusalMessage(problem, what, channel);
    if (message !== undefined && message !== reported) logger.warn(message);
    reported = message ?? reported;
  };
}
