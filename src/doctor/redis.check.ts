import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { openLink, RedisKeys } from '../cache';
import { subscribeChannels } from '../redis/channel-subscription';
import { KeyTracking } from '../redis/key-tracking';
import type { RedisSettings } from '../redis/redis-client-options';
import type { RedisLink, RedisReply } from '../redis/redis-link';
import { findingsOf, type Finding } from './finding';
import { capacityFindings, clockFindings, keyspaceFindings, versionFindings } from './redis-facts';

const CONNECT_WITHIN_MS = 5_000;
/** Reasons that do not go by themselves within seconds. */
const LASTING = /WRONGPASS|NOAUTH|ERR AUTH|ECONNREFUSED|ENOTFOUND/;
const HEAR_WITHIN_MS = 3_000;
const POLL_MS = 20;
const PINGS = 9;
/** The probe's keys expire by themselves, if the doctor is killed. */
const PROBE_TTL_MS = '10000';

const { ok, warning, problem } = findingsOf('Redis');

/**
 * Checks Redis over the service's own connections: whether it can be reached, and whether the user may run every command of the service,
 * by running them with keys of its own under the service's prefix, which are removed.
 */
export async function checkRedis(settings: RedisSettings): Promise<readonly Finding[]> {
  const link = openLink(settings);
  try {
    const isDecided = (): boolean => link.isUp || LASTING.test(link.problem ?? '');
    await until(isDecided, CONNECT_WITHIN_MS);
    if (!link.isUp) return [unreachable(link.problem ?? 'no answer', settings)];
    const keys = new RedisKeys(settings.keyPrefix, settings.source);
    const findings: Finding[] = [];
    for (const node of link.primaries()) {
      const ask = (...args: string[]): Promise<RedisReply> => link.sendTo(node, args);
      const [server, memory] = [await info(ask, 'server'), await info(ask, 'memory')];
      findings.push(...versionFindings(`${node.host}:${node.port}`, server), ...capacityFindings(memory));
      findings.push(...keyspaceFindings(settings.keyPrefix, await ask('SCAN', '0', 'COUNT', '1000').catch(() => null)));
      findings.push(...(await latency(ask, settings.commandTimeoutMs)));
      findings.push(...clockFindings(await ask('TIME').catch(() => null), Date.now()));
    }
    findings.push(...(await rights(link, keys, settings)));
    findings.push(await tracking(settings, link, keys), await channel(settings, link, keys));
    return findings;
  } finally {
    await link.close();
  }
}

function unreachable(reason: string, { endpoint }: RedisSettings): Finding {
  const where = endpoint.nodes.map(({ host, port }) => `${host}:${port}`).join(', ');
  const remedies: readonly (readonly [RegExp, string])[] = [
    [/WRONGPASS|NOAUTH|ERR AUTH/, 'Check REDIS_USERNAME and REDIS_PASSWORD.'],
    [/ECONNREFUSED/, 'Start Redis there, or correct REDIS_ENDPOINT_URI.'],
    [/ENOTFOUND|EAI_AGAIN/, 'The name is not known: correct the host in REDIS_ENDPOINT_URI, or the DNS.'],
    [
      /certificate|self.signed|altnames|ssl|tls/i,
      'Check REDIS_TLS_CA_FILE, and that REDIS_ENDPOINT_URI begins with rediss:// where Redis has TLS.',
    ],
    [/cluster/i, 'Check that the nodes form a Cluster (CLUSTER INFO), or name one Redis with redis://.'],
    [/replica/, 'Name the primary in REDIS_ENDPOINT_URI, or use redis+sentinel://.'],
  ];
  const [, remedy] = remedies.find(([pattern]) => pattern.test(reason)) ?? [];
  return problem(
    `${where} cannot be used: ${reason}.`,
    remedy ?? 'Check REDIS_ENDPOINT_URI, the network between, and whether Redis needs TLS (rediss://) or a password.',
  );
}

async function info(
  ask: (...args: string[]) => Promise<RedisReply>,
  section: string,
): Promise<ReadonlyMap<string, string>> {
  const text = String(await ask('INFO', section).catch(() => ''));
  return new Map(Array.from(text.matchAll(/^(\w+):(.*?)\r?$/gm), ([, name = '', value = '']) => [name, value]));
}

async function latency(ask: (...args: string[]) => Promise<RedisReply>, timeoutMs: number): Promise<Finding[]> {
  const times: number[] = [];
  for (let at = 0; at < PINGS; at++) {
    const from = performance.now();
    await ask('PING');
    times.push(performance.now() - from);
  }
  const medianMs = times.sort((one, other) => one - other)[Math.floor(PINGS / 2)] ?? 0;
  const text = `A round trip takes ${medianMs.toFixed(1)} ms.`;
  if (medianMs * 4 < timeoutMs) return [ok(text)];
  return [
    warning(
      `${text} REDIS_COMMAND_TIMEOUT_MS is ${timeoutMs}: small delays will count as an outage.`,
      `Bring Redis nearer, or set REDIS_COMMAND_TIMEOUT_MS=${Math.ceil(medianMs) * 10}.`,
    ),
  ];
}

/** The keys of `COMMANDS`, one for each kind. */
const PROBES: ReadonlySet<string> = new Set(['text', 'hash', 'set', 'list']);
/** Every command of the service. */
const COMMANDS = [
  ...[`SET text 1 PX ${PROBE_TTL_MS}`, 'GET text', 'GETRANGE text 0 1', 'SETRANGE text 0 2', 'PTTL text'],
  ...[`PEXPIRE text ${PROBE_TTL_MS}`, 'HSET hash a 1', 'HGET hash a', 'HMGET hash a', 'HGETALL hash', 'HLEN hash'],
  ...['HINCRBY hash a 1', 'HDEL hash a', 'ZADD set 1 a', 'ZSCORE set a', 'ZSCAN set 0', 'ZCOUNT set 0 1'],
  ...['ZRANGEBYSCORE set 0 1', 'ZREM set a', 'LPUSH list a', 'LTRIM list 0 0', 'LRANGE list 0 0', 'TIME'],
  ...["EVAL return(redis.call('GET',KEYS[1])) 1 text", `EVALSHA ${'0'.repeat(40)} 1 text`],
  ...['UNLINK text', 'UNLINK hash', 'UNLINK set', 'UNLINK list'],
];

/** Runs every command of the service once, with unused keys: each command that the user may not run is named. */
async function rights(link: RedisLink, keys: RedisKeys, settings: RedisSettings): Promise<Finding[]> {
  const probe = keys.claim(`doctor-${randomBytes(6).toString('hex')}`);
  const commands = COMMANDS.map((line) =>
    line.split(' ').map((word) => (PROBES.has(word) ? `${probe}:${word}` : word)),
  );
  const refused = new Set<string>();
  let isFull = false;
  for (const command of commands) {
    const failure = await link.send(command[1] ?? '', command).then(
      () => '',
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    if (failure.includes('NOPERM')) refused.add((command[0] ?? '').toLowerCase());
    isFull ||= /\bOOM\b/.test(failure);
  }
  const user = settings.username ?? settings.endpoint.username ?? 'default';
  const findings: Finding[] = [];
  if (isFull)
    findings.push(
      problem(
        'Redis is full and evicts nothing: it refuses what is to be stored.',
        'Set maxmemory-policy allkeys-lru, or raise maxmemory.',
      ),
    );
  if (refused.size > 0)
    findings.push(
      problem(
        `The user ${user} may not run ${[...refused].join(', ')}, or not with keys that begin with ${settings.keyPrefix}.`,
        `ACL SETUSER ${user} ~${settings.keyPrefix}:* ${[...refused].map((name) => `+${name}`).join(' ')} (the whole line: docs/reference/redis-keys.md)`,
      ),
    );
  else findings.push(ok(`The user ${user} may run every command that the service needs.`));
  return findings;
}

/** Whether changes of a key arrive: copies in memory are used only then. */
async function tracking(settings: RedisSettings, link: RedisLink, keys: RedisKeys): Promise<Finding> {
  const probe = keys.tagNotice(`doctor-${randomBytes(6).toString('hex')}`);
  let refusal: string | undefined;
  const heard = new Set<string>();
  const tracker = new KeyTracking(settings, link, keys.trackedPrefixes, {
    onKey: (key) => heard.add(key),
    onGap: () => undefined,
    onDeaf: (reason) => (refusal = reason),
  });
  try {
    await until(() => tracker.isCoherent || refusal !== undefined, HEAR_WITHIN_MS);
    if (tracker.isCoherent) {
      await link.send(probe, ['SET', probe, '', 'PX', PROBE_TTL_MS]).catch(() => undefined);
      await until(() => heard.has(probe), HEAR_WITHIN_MS);
      await link.send(probe, ['UNLINK', probe]).catch(() => undefined);
    }
    if (heard.has(probe)) return ok('Changes of keys arrive (CLIENT TRACKING): copies in memory are used.');
    return problem(
      `Changes of keys do not arrive (${refusal ?? 'CLIENT TRACKING sent nothing'}): no copy in memory is used, each hit asks Redis.`,
      'Allow the user +client|tracking and the keys; a proxy in between must pass RESP3 push messages on.',
    );
  } finally {
    await tracker.close();
  }
}

async function channel(settings: RedisSettings, link: RedisLink, keys: RedisKeys): Promise<Finding> {
  let refusal: string | undefined;
  const subscription = subscribeChannels(
    settings,
    link,
    [{ name: keys.channel, onMessage: () => undefined }],
    (reason) => (refusal = reason),
  );
  try {
    await until(() => subscription.isUp || refusal !== undefined, HEAR_WITHIN_MS);
    if (subscription.isUp) return ok(`Listens on the channel ${keys.channel}.`);
    return problem(
      `Cannot listen on the channel ${keys.channel} (${refusal ?? 'no answer'}): invalidations published there are not received.`,
      `Allow the user +subscribe and &${keys.channel}.`,
    );
  } finally {
    await subscription.close();
  }
}

async function until(condition: () => boolean, timeoutMs: number): Promise<boolean> {
  const end = performance.now() + timeoutMs;
  while (!condition() && performance.now() < end) await delay(POLL_MS);
  return condition();
}
