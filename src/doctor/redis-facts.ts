import type { RedisReply } from '../redis/redis-link';
import { findingsOf, type Finding } from './finding';

/** Judges Redis by its own replies: pure functions over INFO, SCAN and TIME. A refused reply is only a warning that the fact is unknown. */

type Info = ReadonlyMap<string, string>;

const MIN_REDIS = [7, 0] as const;
const MIN_VALKEY = [7, 2] as const;
const MAX_CLOCK_OFFSET_MS = 1_000;
const { ok, warning, problem } = findingsOf('Redis');

export function versionFindings(where: string, server: Info): Finding[] {
  const valkey = server.get('valkey_version');
  const version = valkey ?? server.get('redis_version');
  if (version === undefined)
    return [warning(`${where} does not say its version.`, 'Allow the user +info; Redis 7.0 or Valkey 7.2 is needed.')];
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [minMajor, minMinor] = valkey === undefined ? MIN_REDIS : MIN_VALKEY;
  const name = valkey === undefined ? 'Redis' : 'Valkey';
  if (major > minMajor || (major === minMajor && minor >= minMinor)) return [ok(`${name} ${version} at ${where}.`)];
  return [problem(`${name} ${version} at ${where} is too old.`, `Use ${name} ${minMajor}.${minMinor} or newer.`)];
}

export function capacityFindings(memory: Info): Finding[] {
  const policy = memory.get('maxmemory_policy');
  const max = Number(memory.get('maxmemory') ?? 0);
  if (policy === undefined) return [];
  if (max === 0)
    return [
      warning(
        'maxmemory is not set: Redis takes as much as the machine has, and is killed when that is not enough.',
        'Set maxmemory and maxmemory-policy allkeys-lru.',
      ),
    ];
  const used = Math.round((Number(memory.get('used_memory') ?? 0) / max) * 100);
  const size = `${Math.round(max / 1_048_576)} MiB, ${used} % used`;
  if (policy === 'noeviction')
    return [
      warning(
        `maxmemory-policy is noeviction (${size}): once full, Redis refuses new entries.`,
        'Set maxmemory-policy allkeys-lru; purges hold under any policy.',
      ),
    ];
  return [ok(`Evicts by ${policy} (${size}).`)];
}

/** @param scanned the reply to one SCAN over all keys */
export function keyspaceFindings(prefix: string, scanned: RedisReply): Finding[] {
  const keys =
    Array.isArray(scanned) && Array.isArray(scanned[1]) ? (scanned[1] as RedisReply[]).map(String) : undefined;
  if (keys === undefined) return [];
  const foreign = keys.filter((key) => !key.startsWith(`${prefix}:`)).length;
  if (foreign === 0) return [ok(`All of ${keys.length} keys looked at begin with ${prefix}.`)];
  return [
    warning(
      `${foreign} of ${keys.length} keys looked at are not the service's (prefix ${prefix}): it never touches them, but they share memory and eviction.`,
      'Give the cache a Redis of its own, or live with that entries may be evicted for others and others for entries.',
    ),
  ];
}

/** @param time the reply to TIME */
export function clockFindings(time: RedisReply, now: number): Finding[] {
  if (!Array.isArray(time)) return [];
  const offsetMs = Math.round(Number(String(time[0])) * 1_000 + Number(String(time[1])) / 1_000 - now);
  if (Math.abs(offsetMs) <= MAX_CLOCK_OFFSET_MS) return [];
  return [
    warning(
      `The clocks of Redis and of this machine differ by ${offsetMs} ms: entries end early or late by as much.`,
      'Keep NTP running on both.',
    ),
  ];
}
