import { createHash } from 'node:crypto';

/** A Lua script and its SHA-1 for EVALSHA. */
export interface Script {
  readonly source: string;
  readonly sha: string;
}

function script(source: string): Script {
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}

/**
 * An entry is one string; `entry-codec.ts` describes its layout. The scripts know that bytes 0–11 are its id, 12–17 the mark of its last
 * soft purge, 18–20 the length of the head, after which the body begins.
 *
 * A lease's value is `L|token|failures|indexMark|sequence|ledger|firsts` while a load is under way and `F|token|failures|failure` after a
 * failed one, whose TTL covers its pause and a memory of it. A load that began under a lower mark of its index gives way to one under a
 * higher mark; one that began before an invalidation gives way to a caller that names its token, after that caller has checked the ledger
 * (`redis-leases.ts`). `allow-oom` (Redis 7): a full Redis can still grant one load per key and still invalidate.
 *
 * The race that they close, as a timeline; K is the entry's key, all in one slot, so each script is atomic:
 *
 *   1. A acquires: no entry (or one with id `base`), no lease -> lease = A's token
 *   2. A asks the upstream, which answers the old state
 *   3. the data changes; K is invalidated: lease and entry are unlinked, the sequence grows
 *   4. A fills: the lease is not A's -> nothing is stored. A's answer goes to A's own waiters only
 *   5. B acquires and loads the new state
 *
 * With a bare `redis-cli DEL` of the entry in 3 the lease stays A's, but the entry's id is no longer `base`: 4 refuses as well. A leader
 * whose lease ended (suspended for too long) finds another's lease or another id, and refuses likewise.
 */

/**
 * The ledger of invalidations is one hash: `s` their count, `i` a word for this history of the data, `l` a word for this ledger, `f` the
 * count below which it knows none; and for the latest invalidations, `t:TAG` or `k:KEY`, the count after it. Redis may evict it, and
 * people delete it: the replica that notices creates a new one, with the count and the history that it knows, under another `l`, so that
 * earlier fills are refused.
 *
 * Each invalidation has a random word, its *mark* `COUNT:WORD`: `w` is the last one, `w:0` to `w:1023` are the latest by their count
 * modulo 1024. An older copy of the data that has been invalidated again may have the count that a replica remembers, or a higher one, but
 * not the mark:
 *
 *   1. replicas A and B know 7:x; Redis comes back with its state at 5
 *   2. replica C, which has just started and knows nothing, invalidates twice: the count is 7 again, its mark 7:y
 *   3. A reads the mark at its own count: not 7:x. The data in Redis may be older than the removals that A saw
 *
 * Bookkeeping that may be evicted is never relied on: an entry counts only while each of its tags has it in its index.
 */

/** How many marks the ledger keeps: a replica that has missed more invalidations compares counts alone. */
export const MAX_MARKS = 1_024;

const LEDGER_STATE = `
local function stateOf(name, slot)
  local state = redis.pcall('HMGET', name, 's', 'i', 'l', 'w', slot)
  if state.err or not tonumber(state[1]) or not state[2] or not state[3] then return {'', '', '', '', ''} end
  return {state[1], state[2], state[3], state[4] or '', state[5] or ''}
end
local function reply(state, ...)
  return {state[1], state[2], state[3], state[4], state[5], ...}
end`;

/** Creates a ledger if there is none or the value has a foreign format: from the count, its mark and the history that the caller knows. */
const ENSURE_LEDGER = `${LEDGER_STATE}
local function ensured(name, slot, sequence, history, ledger, mark)
  local state = stateOf(name, slot)
  if state[1] ~= '' then return state end
  redis.call('UNLINK', name)
  redis.call('HSET', name, 's', sequence, 'i', history, 'l', ledger, 'f', sequence)
  if mark ~= '' then redis.call('HSET', name, 'w', mark, slot, mark) end
  return {sequence, history, ledger, mark, mark}
end`;

/**
 * Whether each indexed tag of a value has the key in its index; they are the first tags of its metadata (`entry-codec.ts`). The keys of
 * the indexes come from the value alone, which a single node allows and a Cluster does not.
 */
const IS_INDEXED = `
local function number(value, at)
  local sum, unit = 0, 1
  while true do
    local byte = string.byte(value, at)
    if not byte then return nil, at end
    sum = sum + (byte % 128) * unit
    at = at + 1
    if byte < 128 then return sum, at end
    unit = unit * 128
  end
end
local function isIndexed(value, prefix, key)
  local count, at = number(value, 22)
  for _ = 1, count or 0 do
    local length
    length, at = number(value, at)
    if not length then return true end
    local score = redis.pcall('ZSCORE', prefix .. string.sub(value, at, at + length - 1) .. '}', key)
    if type(score) ~= 'string' then return false end
    at = at + length
  end
  return true
end`;

/**
 * KEYS entry, ledger; ARGV prefix of tag indexes, key, slot of the known mark. The ledger's state, and the value if there is one, as found
 * or, without its bookkeeping, as lost.
 */
export const FIND = script(`#!lua flags=no-writes${LEDGER_STATE}${IS_INDEXED}
local value = redis.pcall('GET', KEYS[1])
local state = stateOf(KEYS[2], ARGV[3])
if type(value) == 'table' then return reply(state, 'found', '') end
if type(value) ~= 'string' then return reply(state, 'none') end
return reply(state, isIndexed(value, ARGV[1], ARGV[2]) and 'found' or 'lost', value)`);

/**
 * How often a URL with nothing stored has been stored since loads under way began; 0 for leases without a selection. Of several concurrent
 * first loads one stores first. Another that then finds nothing knows that the entry was removed since, even by a bare DEL.
 */
const FIRSTS = `
local function firstsName(lease)
  local slot = string.match(lease, '^(.*})|')
  return slot and slot .. '|'
end
local function firstsOf(lease)
  local name = firstsName(lease)
  local firsts = name and redis.pcall('GET', name)
  return type(firsts) == 'string' and firsts or '0'
end`;

/**
 * How long the entry that a load replaces stays at least, in milliseconds; it is not used after its life. If it ended during the load, the
 * fill would take it for deleted, and a second load would follow.
 */
const BASE_LIFE_MS = 30_000;

const TAKE_LEASE = `
local lease = redis.pcall('GET', KEYS[1])
local failures = 0
if type(lease) == 'string' then
  local kind, token, count, rest = string.match(lease, '^([LF])|([^|]*)|(%d+)|(.*)$')
  local isOutdated = token ~= nil and token == ARGV[9]
  local mark, since, ledger = string.match(rest or '', '^(%d*)|?(%d*)|?([^|]*)')
  if kind == 'L' and (tonumber(mark) or 0) >= tonumber(ARGV[6]) and not isOutdated then
    return reply(state, 'held', token, since, ledger)
  end
  if kind == 'F' and not isOutdated then
    local remaining = redis.call('PTTL', KEYS[1]) - tonumber(ARGV[4])
    if remaining > 0 or token == ARGV[5] then
      return reply(state, 'failed', tostring(math.max(0, remaining)), rest, token)
    end
  end
  failures = not isOutdated and tonumber(count) or 0
end
if ARGV[3] ~= '' then
  local left = redis.call('PTTL', KEYS[2])
  if left >= 0 and left < ${BASE_LIFE_MS} then redis.call('PEXPIRE', KEYS[2], ${BASE_LIFE_MS}) end
end
local since = state[1] ~= '' and state[1] .. '|' .. state[3] or ARGV[10] .. '|' .. ARGV[11]
redis.call('SET', KEYS[1], 'L|' .. ARGV[1] .. '|' .. failures .. '|' .. ARGV[6] .. '|' .. since .. '|' .. firstsOf(KEYS[1]), 'PX', ARGV[2])
return reply(state, 'granted', tostring(failures))`;

/**
 * KEYS lease, entry, and the ledger if it is on the same node; ARGV token, leaseMs, seenId, failureMemoryMs, waitedFor, indexMark, key,
 * slot of the known mark, the token of the load that gives way (empty for none), the count and the ledger that the caller knows. The
 * ledger's state, and the lease with the failures before it, or the reason of a refusal.
 */
export const ACQUIRE = script(`#!lua flags=allow-oom${LEDGER_STATE}${FIRSTS}
local state = KEYS[3] and stateOf(KEYS[3], ARGV[8]) or {'', '', '', '', ''}
local id = redis.pcall('GETRANGE', KEYS[2], 0, 11)
if type(id) ~= 'string' then id = '' end
if id ~= ARGV[3] then return reply(state, 'changed') end${TAKE_LEASE}`);

/**
 * As ACQUIRE for a caller that has seen no entry; and the value, if there is one: an empty text if the key is not a string. With the
 * prefix of tag indexes as a further ARGV, a value without its bookkeeping is reported as lost.
 */
export const FIND_OR_ACQUIRE = script(`#!lua flags=allow-oom${LEDGER_STATE}${IS_INDEXED}${FIRSTS}
local state = KEYS[3] and stateOf(KEYS[3], ARGV[8]) or {'', '', '', '', ''}
local value = redis.pcall('GET', KEYS[2])
if type(value) == 'table' then return reply(state, 'found', '') end
if type(value) == 'string' then
  return reply(state, (not ARGV[12] or isIndexed(value, ARGV[12], ARGV[7])) and 'found' or 'lost', value)
end${TAKE_LEASE}`);

/** KEYS entry; ARGV id. Removes the entry if it still has this id. */
export const DISCARD = script(`#!lua flags=allow-oom
if redis.pcall('GETRANGE', KEYS[1], 0, 11) ~= ARGV[1] then return 0 end
return redis.call('UNLINK', KEYS[1])`);

const IS_MINE = `
local lease = redis.pcall('GET', KEYS[1])
local mine = 'L|' .. ARGV[1] .. '|'
if type(lease) ~= 'string' or string.sub(lease, 1, #mine) ~= mine then return 0 end`;

/** KEYS lease; ARGV token. Whether the holder still has the lease; for a selection: and exactly one other was stored first since. */
export const IS_STANDING = script(`#!lua flags=no-writes${FIRSTS}${IS_MINE}
if not firstsName(KEYS[1]) then return 1 end
return tonumber(firstsOf(KEYS[1])) == (tonumber(string.match(lease, '|(%d+)$')) or -2) + 1 and 1 or 0`);

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
local firsts = firstsName(KEYS[1])
if id ~= ARGV[2] or (firsts and firstsOf(KEYS[1]) ~= string.match(lease, '|(%d+)$')) then
  if not firsts then redis.call('UNLINK', KEYS[1]) end
  return 0
end`;

/** Longer than any load. */
const COUNT_FIRST = `
if firsts then
  redis.call('INCR', firsts)
  redis.call('PEXPIRE', firsts, 600000)
end`;

/**
 * Adds `key` to the index `name` for `life` ms, with a score that it never had before; forgets up to 100 expired keys. By Redis' own time:
 * a replica with a fast clock would forget the entries of others.
 */
const INDEX_FUNCTION = `
local function index(name, life, key)
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local score = now + tonumber(life)
  local before = redis.pcall('ZSCORE', name, key)
  if type(before) == 'table' then redis.call('UNLINK', name) end
  before = type(before) == 'string' and tonumber(before) or 0
  if before >= score then score = before + 0.001 end
  redis.call('ZADD', name, string.format('%.3f', score), key)
  local over = redis.call('ZRANGEBYSCORE', name, '-inf', now, 'LIMIT', 0, 100)
  if #over > 0 then redis.call('ZREM', name, unpack(over)) end
  local left = math.ceil(score - now)
  if redis.call('PTTL', name) < left then redis.call('PEXPIRE', name, left) end
end`;

/** Refuses if the ledger has an invalidation since the lease was granted, or cannot decide. */
const IS_UNPURGED = `
local function isUnpurged(name, ledger, sequence, fields)
  local known = redis.pcall('HMGET', name, 'l', 'f', unpack(fields))
  if known.err or known[1] ~= ledger then return false end
  for at = 2, #fields + 2 do
    if (tonumber(known[at]) or 0) > tonumber(sequence) then return false end
  end
  return true
end`;

/**
 * A fill or a freshening with everything that belongs to it, in one instant: no invalidation can come between. KEYS lease, entry, ledger,
 * then lease and entry of a linked entry, if there is one, then the index of each tag; ARGV token, baseId, lifeMs, value or head,
 * sequence, ledger, key, linked lifeMs, linked value (both empty for none), then for each tag its name.
 */
const STORE_TAGGED = (store: string): Script =>
  script(`#!lua${INDEX_FUNCTION}${IS_UNPURGED}${FIRSTS}${IS_MINE}
local fields = {'k:' .. ARGV[7]}
for at = 10, #ARGV do fields[#fields + 1] = 't:' .. ARGV[at] end
if not isUnpurged(KEYS[3], ARGV[6], ARGV[5], fields) then
  redis.call('UNLINK', KEYS[1])
  return 0
end${HAS_BASE}
local tags = 4
if ARGV[8] ~= '' then
  redis.call('UNLINK', KEYS[4])
  redis.call('SET', KEYS[5], ARGV[9], 'PX', ARGV[8])
  tags = 6
end${store}${COUNT_FIRST}
for at = tags, #KEYS do index(KEYS[at], ARGV[3], ARGV[7]) end
redis.call('UNLINK', KEYS[1])
return 1`);

const STORE_VALUE = `
redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[3])`;

const STORE_HEAD = `
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
end`;

export const FILL_TAGGED = STORE_TAGGED(STORE_VALUE);
export const FRESHEN_TAGGED = STORE_TAGGED(STORE_HEAD);

/** KEYS lease, entry; ARGV token, baseId, lifeMs, value. */
export const FILL = script(`#!lua${FIRSTS}${IS_MINE}${HAS_BASE}${STORE_VALUE}${COUNT_FIRST}
redis.call('UNLINK', KEYS[1])
return 1`);

/**
 * KEYS lease, entry; ARGV token, baseId, lifeMs, head. The body stays in place: a head that fits is written in place, the server itself
 * puts a longer one in front of the body.
 */
export const FRESHEN = script(`#!lua${FIRSTS}${IS_MINE}${HAS_BASE}${STORE_HEAD}
redis.call('UNLINK', KEYS[1])
return 1`);

/** KEYS lease, entry; ARGV lifeMs, value. Needs no lease, and ends any. */
export const PUT = script(`#!lua
redis.call('UNLINK', KEYS[1])
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[1])
return 1`);

/**
 * KEYS lease, entry; ARGV sequence, id. A soft purge: revokes the lease; the entry, if there is one, gets the new id, so that no load
 * which saw it stores in its place, and a greater mark than before.
 */
export const SOFT_PURGE = script(`#!lua flags=allow-oom
redis.call('UNLINK', KEYS[1])
local before = redis.pcall('GETRANGE', KEYS[2], 12, 17)
if type(before) ~= 'string' or #before < 6 then return 0 end
local mark = 0
for at = 1, 6 do mark = mark * 256 + string.byte(before, at) end
mark = math.max(tonumber(ARGV[1]), mark + 1)
local bytes = ''
for _ = 1, 6 do
  bytes = string.char(mark % 256) .. bytes
  mark = math.floor(mark / 256)
end
redis.call('SETRANGE', KEYS[2], 0, ARGV[2] .. bytes)
return 1`);

/** KEYS ledger; ARGV slot of the known mark, and sequence, history, ledger, mark for creating a missing one. Its state. */
export const RESTORE = script(`#!lua flags=allow-oom${ENSURE_LEDGER}
return ensured(KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5])`);

/** `isOther\`: whether the ledger has another mark for a known count. \`marked\`: gives the last count its mark. */
const MARK_FUNCTIONS = `
local function isOther(known, there)
  local count = string.match(known, '^%d+:')
  return count ~= nil and known ~= there and string.sub(there, 1, #count) == count
end
local function marked(name, sequence, word)
  local mark = string.format('%.0f', sequence) .. ':' .. word
  redis.call('HSET', name, 'w', mark, 'w:' .. string.format('%.0f', sequence % ${MAX_MARKS}), mark)
  return mark
end`;

/**
 * KEYS ledger; ARGV as in RESTORE, the history that the caller knows (empty for none), the most fields, a random word, then the
 * invalidated names. Counts one more invalidation and returns the ledger's state after it; or returns the unchanged state with 'rewound',
 * if it has another history, a lower count or another mark than the caller has seen: the data may be older than the last invalidation. A
 * full ledger forgets everything except its marks: fills under way are refused.
 */
export const RECORD = script(`#!lua flags=allow-oom${ENSURE_LEDGER}${MARK_FUNCTIONS}
local state = ensured(KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5])
if tonumber(state[1]) < tonumber(ARGV[2]) or (ARGV[6] ~= '' and state[2] ~= ARGV[6]) or isOther(ARGV[5], state[5]) then
  return reply(state, 'rewound')
end
local sequence = redis.call('HINCRBY', KEYS[1], 's', 1)
if redis.call('HLEN', KEYS[1]) + #ARGV - 8 > tonumber(ARGV[7]) then
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    if string.match(field, '^[tk]:') then redis.call('HDEL', KEYS[1], field) end
  end
  redis.call('HSET', KEYS[1], 'f', sequence)
else
  for at = 9, #ARGV do redis.call('HSET', KEYS[1], ARGV[at], sequence) end
end
local mark = marked(KEYS[1], sequence, ARGV[8])
return {tostring(sequence), state[2], state[3], mark, state[5]}`);

/**
 * KEYS ledger; ARGV slot, sequence, ledger, a random word. Called after everything was removed from data that had gone back in time:
 * earlier counts are never used again, and no earlier mark is left to compare with.
 */
export const CATCH_UP = script(`#!lua flags=allow-oom${LEDGER_STATE}${MARK_FUNCTIONS}
local state = stateOf(KEYS[1], ARGV[1])
if state[1] == '' then return state end
for slot = 0, ${MAX_MARKS - 1} do redis.call('HDEL', KEYS[1], 'w:' .. slot) end
local sequence = math.max(tonumber(state[1]), tonumber(ARGV[2])) + 1
local count = string.format('%.0f', sequence)
redis.call('HSET', KEYS[1], 's', count, 'l', ARGV[3], 'f', count)
return {count, state[2], ARGV[3], marked(KEYS[1], sequence, ARGV[4]), ''}`);

/** KEYS tagNotice. Every replica that tracks it is notified, though the key is gone. */
export const NOTIFY_TAG = script(`#!lua flags=allow-oom
redis.call('SET', KEYS[1], '')
return redis.call('UNLINK', KEYS[1])`);

/** KEYS tagIndex; ARGV lifeMs, key. */
export const INDEX = script(`#!lua flags=allow-oom${INDEX_FUNCTION}
index(KEYS[1], ARGV[1], ARGV[2])
return 1`);

/** KEYS tagIndex; ARGV pairs of score, key. Forgets the keys whose score is unchanged. */
export const UNINDEX = script(`#!lua flags=allow-oom
local gone = 0
for i = 1, #ARGV, 2 do
  local score = redis.call('ZSCORE', KEYS[1], ARGV[i + 1])
  if score and tonumber(score) == tonumber(ARGV[i]) then gone = gone + redis.call('ZREM', KEYS[1], ARGV[i + 1]) end
end
return gone`);

/** Shared values live by Redis' own time: the clocks of replicas differ. A value is `endsAt:text`. */
const NOTE_FUNCTIONS = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function live(note)
  local endsAt, text = string.match(note or '', '^(%d+)(:.*)$')
  return endsAt and tonumber(endsAt) > now and text or ''
end`;

/**
 * KEYS shared values; ARGV name, seen, text, ttlMs, lifeMs. `seen` is `:text`, empty for none; so is the reply: the text stored instead.
 * False: stored.
 */
export const NOTE = script(`#!lua flags=allow-oom${NOTE_FUNCTIONS}
local there = live(redis.call('HGET', KEYS[1], ARGV[1]) or '')
if there ~= ARGV[2] then return there end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now + tonumber(ARGV[4])) .. ':' .. ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return false`);

/** KEYS shared values; ARGV name. `:text`, empty for none. */
export const READ_NOTE = script(`#!lua flags=no-writes${NOTE_FUNCTIONS}
local note = redis.pcall('HGET', KEYS[1], ARGV[1])
return type(note) == 'string' and live(note) or ''`);

/** KEYS shared values. Name and `:text` of each live one; removes expired ones. */
export const READ_NOTES = script(`#!lua flags=allow-oom${NOTE_FUNCTIONS}
local all = redis.pcall('HGETALL', KEYS[1])
if all.err then return {} end
local notes = {}
for at = 1, #all, 2 do
  local text = live(all[at + 1])
  if text == '' then redis.call('HDEL', KEYS[1], all[at])
  else
    notes[#notes + 1] = all[at]
    notes[#notes + 1] = text
  end
end
return notes`);
