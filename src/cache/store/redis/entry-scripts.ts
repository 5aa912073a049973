import { FIRSTS, IS_MINE, script, type Script } from './lua';

/** KEYS entry; ARGV id. Removes the entry if it still has this id. */
export const DISCARD = script(`#!lua flags=allow-oom
if redis.pcall('GETRANGE', KEYS[1], 0, 11) ~= ARGV[1] then return 0 end
return redis.call('UNLINK', KEYS[1])`);

const HAS_BASE = `
local id = redis.pcall('GETRANGE', KEYS[2], 0, 11)
if type(id) ~= 'string' then id = '' end
local firsts = firstsName(KEYS[1])
if id ~= ARGV[2] or (firsts and firstsOf(KEYS[1]) ~= string.match(lease, '|(%d+)$')) then
  if not firsts then redis.call('UNLINK', KEYS[1]) end
  return 0
end`;

/** Longer than any load. */
const FIRSTS_LIFE_MS = 600_000;

/** SET, not INCR: also where something else was written into the key. */
const COUNT_FIRST = `
if firsts then redis.call('SET', firsts, string.format('%d', firstsOf(KEYS[1]) + 1), 'PX', ${FIRSTS_LIFE_MS}) end`;

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

/**
 * The same where tags and ledger are in other slots. KEYS lease, entry; ARGV token, baseId, lifeMs, value or head. The body of a freshened
 * entry stays in place: a head that fits is written in place, the server itself puts a longer one in front of the body.
 */
const STORE = (store: string): Script =>
  script(`#!lua${FIRSTS}${IS_MINE}${HAS_BASE}${store}${COUNT_FIRST}
redis.call('UNLINK', KEYS[1])
return 1`);

export const FILL = STORE(STORE_VALUE);
export const FRESHEN = STORE(STORE_HEAD);

/**
 * KEYS lease, entry, then the index of each tag, as far as they are on the same node; ARGV lifeMs, value, key. Needs no lease, and ends
 * any. In one instant: an entry that a purge did not find in its index must not be in it again beside the new one.
 */
export const PUT = script(`#!lua${INDEX_FUNCTION}
redis.call('UNLINK', KEYS[1])
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[1])
for at = 3, #KEYS do index(KEYS[at], ARGV[1], ARGV[3]) end
return 1`);

/**
 * An invalidation that finds no entry: a first load may be about to store one, under the lease of a selection, whose name is not known here.
 * Its count is another from now on. By two, for by one means that another load has stored.
 */
const REFUSE_FIRSTS = `
local firsts = KEYS[1] .. '|'
redis.call('SET', firsts, string.format('%d', firstsOf(firsts) + 2), 'PX', ${FIRSTS_LIFE_MS})
return 0`;

/** KEYS lease, entry. A purge: revokes the leases and removes the entry. */
export const PURGE = script(`#!lua flags=allow-oom${FIRSTS}
redis.call('UNLINK', KEYS[1])
if redis.call('UNLINK', KEYS[2]) == 1 then return 1 end${REFUSE_FIRSTS}`);

/**
 * KEYS lease, entry; ARGV sequence, id. A soft purge: revokes the leases; the entry, if there is one, gets the new id, so that no load
 * which saw it stores in its place, and a greater mark than before.
 */
export const SOFT_PURGE = script(`#!lua flags=allow-oom${FIRSTS}
redis.call('UNLINK', KEYS[1])
local before = redis.pcall('GETRANGE', KEYS[2], 12, 17)
if type(before) ~= 'string' or #before < 6 then${REFUSE_FIRSTS}
end
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
