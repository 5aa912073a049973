import { createHash } from 'node:crypto';

/** A Lua script and the SHA-1 that EVALSHA knows it by. */
export interface Script {
  readonly source: string;
  readonly sha: string;
}

function script(source: string): Script {
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}

/*
 * An entry is one string; `entry-codec.ts` tells its layout. The scripts know of it that bytes 0–11 are its id, 12–17 the instant
 * of a soft purge, 18–20 the length of the head, after which the body begins.
 *
 * A lease's value is `L|token|failures|` while a load is under way and `F|token|failures|failure` after a failed one, whose
 * TTL is its pause and a memory of it. `allow-oom` (Redis 7): a full Redis can still lead to one load per key and still invalidate.
 *
 * The race that they close, as a timeline; K is the entry's key, all of one slot, so each script is atomic:
 *
 *   1. A acquires: no entry (or one with id `base`), no lease -> lease = A's token
 *   2. A asks the upstream, which answers the old state
 *   3. the data changes; somebody invalidates K: lease and entry are unlinked, the sequence grows
 *   4. A fills: the lease is not A's -> nothing is stored. A's answer goes to A's own waiters only
 *   5. B acquires and loads the new state
 *
 * With a bare `redis-cli DEL` of the entry in 3 the lease stays A's, but the entry's id is no more `base`: 4 refuses as well.
 * A leader whose lease ended (stopped for too long) finds another's lease or another id, and refuses likewise.
 */

const TAKE_LEASE = `
local lease = redis.pcall('GET', KEYS[1])
local failures = 0
if type(lease) == 'string' then
  local kind, token, count, failure = string.match(lease, '^([LF])|([^|]*)|(%d+)|(.*)$')
  if kind == 'L' then return {'held', token} end
  if kind == 'F' then
    local remaining = redis.call('PTTL', KEYS[1]) - tonumber(ARGV[4])
    if remaining > 0 or token == ARGV[5] then return {'failed', tostring(math.max(0, remaining)), failure} end
    failures = tonumber(count)
  end
end
redis.call('SET', KEYS[1], 'L|' .. ARGV[1] .. '|' .. failures .. '|', 'PX', ARGV[2])
local sequence = KEYS[3] and redis.pcall('GET', KEYS[3])
return {'granted', tostring(failures), type(sequence) == 'string' and sequence or '0'}`;

/**
 * KEYS lease, entry, and the sequence where it is of the same node; ARGV token, leaseMs, seenId, failureMemoryMs, waitedFor. A grant
 * comes with the failures before it and the sequence.
 */
export const ACQUIRE = script(`#!lua flags=allow-oom
local id = redis.pcall('GETRANGE', KEYS[2], 0, 11)
if type(id) ~= 'string' then id = '' end
if id ~= ARGV[3] then return {'changed'} end${TAKE_LEASE}`);

/** As ACQUIRE for who has seen nothing; the value, if there is one: an empty text for what is no text at all. */
export const FIND_OR_ACQUIRE = script(`#!lua flags=allow-oom
local value = redis.pcall('GET', KEYS[2])
if type(value) == 'string' then return value end
if type(value) == 'table' then return '' end${TAKE_LEASE}`);

const IS_MINE = `
local lease = redis.pcall('GET', KEYS[1])
local mine = 'L|' .. ARGV[1] .. '|'
if type(lease) ~= 'string' or string.sub(lease, 1, #mine) ~= mine then return 0 end`;

/** KEYS lease; ARGV token, leaseMs. */
export const RENEW = script(`#!lua flags=allow-oom${IS_MINE}
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`);

/** KEYS lease; ARGV token. */
export const RELEASE = script(`#!lua flags=allow-oom${IS_MINE}
return redis.call('UNLINK', KEYS[1])`);

/** KEYS lease; ARGV token, failures, failure, keepMs. */
export const FAIL = script(`#!lua flags=allow-oom${IS_MINE}
redis.call('SET', KEYS[1], 'F|' .. ARGV[1] .. '|' .. ARGV[2] .. '|' .. ARGV[3], 'PX', ARGV[4])
return 1`);

const HAS_BASE = `
local id = redis.pcall('GETRANGE', KEYS[2], 0, 11)
if type(id) ~= 'string' then id = '' end
if id ~= ARGV[2] then
  redis.call('UNLINK', KEYS[1])
  return 0
end`;

/** Adds `key` to the index `name`, with a score that it never had before; forgets up to 100 keys whose life is over. */
const INDEX_FUNCTION = `
local function index(name, now, score, key)
  local before = redis.pcall('ZSCORE', name, key)
  if type(before) == 'table' then redis.call('UNLINK', name) end
  before = type(before) == 'string' and tonumber(before) or 0
  if before >= score then score = before + 0.001 end
  redis.call('ZADD', name, string.format('%.3f', score), key)
  local over = redis.call('ZRANGEBYSCORE', name, '-inf', now, 'LIMIT', 0, 100)
  if #over > 0 then redis.call('ZREM', name, unpack(over)) end
  local life = math.ceil(score - tonumber(now))
  if redis.call('PTTL', name) < life then redis.call('PEXPIRE', name, life) end
end`;

/**
 * KEYS lease, entry, then lease and entry of what the entry leads to, if that comes along, then an index and a mark for each tag;
 * ARGV token, baseId, lifeMs, value, sequence, nowMs, endsAt, key, and of what comes along lifeMs, value. All of a fill at once: the
 * marks of tags are looked at, and the key is indexed, in the same instant in which it is stored.
 */
export const FILL_TAGGED = script(`#!lua${INDEX_FUNCTION}${IS_MINE}${HAS_BASE}
local along = ARGV[10]
local tags = along and 5 or 3
for at = tags, #KEYS, 2 do
  local mark = redis.pcall('GET', KEYS[at + 1])
  if type(mark) == 'string' and (tonumber(mark) or 0) > tonumber(ARGV[5]) then
    redis.call('UNLINK', KEYS[1])
    return 0
  end
end
if along then
  redis.call('UNLINK', KEYS[3])
  redis.call('SET', KEYS[4], along, 'PX', ARGV[9])
end
redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[3])
for at = tags, #KEYS, 2 do index(KEYS[at], ARGV[6], tonumber(ARGV[7]), ARGV[8]) end
redis.call('UNLINK', KEYS[1])
return 1`);

/** KEYS lease, entry; ARGV token, baseId, lifeMs, value. */
export const FILL = script(`#!lua${IS_MINE}${HAS_BASE}
redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[3])
redis.call('UNLINK', KEYS[1])
return 1`);

/**
 * KEYS lease, entry; ARGV token, baseId, lifeMs, head. The body stays where it is: a head that has room is written in place,
 * a longer one is put in front of the body by the server itself.
 */
export const FRESHEN = script(`#!lua${IS_MINE}${HAS_BASE}
local length = redis.call('GETRANGE', KEYS[2], 18, 20)
local a, b, c = string.byte(length, 1, 3)
if not c then
  redis.call('UNLINK', KEYS[1])
  return 0
end
local room = a * 65536 + b * 256 + c
local head = ARGV[4]
if #head <= room then
  redis.call('SETRANGE', KEYS[2], 0, string.sub(head, 1, 18) .. length .. string.sub(head, 22) .. string.rep('\\0', room - #head))
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
else
  redis.call('SET', KEYS[2], head .. string.sub(redis.call('GET', KEYS[2]), room + 1), 'PX', ARGV[3])
end
redis.call('UNLINK', KEYS[1])
return 1`);

/** KEYS lease, entry; ARGV lifeMs, value. No lease needed, and none survives it. */
export const PUT = script(`#!lua
redis.call('UNLINK', KEYS[1])
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[1])
return 1`);

/** KEYS lease, entry; ARGV now, as six bytes. Voids the lease; the entry, if there is one, counts as stale from now on. */
export const STALE = script(`#!lua flags=allow-oom
redis.call('UNLINK', KEYS[1])
local staledAt = redis.pcall('GETRANGE', KEYS[2], 12, 17)
if type(staledAt) ~= 'string' or #staledAt < 6 then return 0 end
if staledAt == '\\0\\0\\0\\0\\0\\0' then redis.call('SETRANGE', KEYS[2], 12, ARGV[1]) end
return 1`);

/** KEYS sequence; ARGV highest, the highest one ever seen. One more invalidation; never a number that was there before. */
export const NEXT = script(`#!lua flags=allow-oom
local next = redis.pcall('INCR', KEYS[1])
local highest = tonumber(ARGV[1])
if type(next) == 'number' and next > highest then return next end
redis.call('SET', KEYS[1], string.format('%.0f', highest + 1))
return highest + 1`);

/** KEYS tagMark; ARGV sequence, keepMs. */
export const MARK = script(`#!lua flags=allow-oom
return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])`);

/**
 * KEYS tagIndex; ARGV nowMs, endsAt (a score), key. Adds the key, with a score that it never had before, forgets up to 100
 * keys whose life is over, and lets the index live as long as its last key.
 */
export const INDEX = script(`#!lua flags=allow-oom${INDEX_FUNCTION}
index(KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3])
return 1`);

/** KEYS tagIndex; ARGV pairs of score, key. Forgets the keys whose score is still the one that was seen. */
export const UNINDEX = script(`#!lua flags=allow-oom
local gone = 0
for i = 1, #ARGV, 2 do
  local score = redis.call('ZSCORE', KEYS[1], ARGV[i + 1])
  if score and tonumber(score) == tonumber(ARGV[i]) then gone = gone + redis.call('ZREM', KEYS[1], ARGV[i + 1]) end
end
return gone`);

/**
 * KEYS notes; ARGV name, seen, note, nowMs, lifeMs. A note is `endsAt:text`; `seen` is `:text`, empty for none. False: it is left; else what
 * is there instead.
 */
export const NOTE = script(`#!lua flags=allow-oom
local there = redis.call('HGET', KEYS[1], ARGV[1]) or ''
local endsAt, text = string.match(there, '^(%d+)(:.*)$')
if not endsAt or tonumber(endsAt) <= tonumber(ARGV[4]) then text = '' end
if text ~= ARGV[2] then return there end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return false`);
