import { FIRSTS, IS_INDEXED, IS_MINE, LEDGER_STATE, script } from './lua';

/*
 * A lease's value is `L|token|failures|indexMark|sequence|ledger|firsts` while a load is under way and `F|token|failures|failure` after a
 * failed one, whose TTL covers its pause and a memory of it. A load that began under a lower mark of its index gives way to one under a
 * higher mark; one that began before an invalidation gives way to a caller that names its token, after that caller has checked the ledger
 * (`redis-leases.ts`). The lease of a caller that repeats its request, after a reply that it could not use, is its own.
 *
 * The race that the scripts close, as a timeline; K is the entry's key, all in one slot, so each script is atomic:
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
 * How long the entry that a load replaces stays at least, in milliseconds; it is not used after its life. If it ended during the load, the
 * fill would take it for deleted, and a second load would follow.
 */
const BASE_LIFE_MS = 30_000;

/** Holder, count and ledger of a lease of a selection whose load will join what another has stored for the URL since. */
const FIRST_LOAD = `${FIRSTS}
local function firstLoad(name, mark, outdated)
  local lease = redis.pcall('GET', name)
  if type(lease) ~= 'string' then return nil end
  local token, loadMark, since, ledger, firsts = string.match(lease, '^L|([^|]*)|%d+|(%d*)|(%d*)|([^|]*)|(%d+)$')
  if not token or token == outdated or (tonumber(loadMark) or 0) < tonumber(mark) then return nil end
  if tonumber(firstsOf(name)) ~= tonumber(firsts) + 1 then return nil end
  return token, since, ledger
end`;

/** KEYS the lease of `LeaseRequest.firstLoad`; ARGV indexMark, the token of the load that gives way. For Clusters: as a part of ACQUIRE elsewhere. */
export const FIND_FIRST_LOAD = script(`#!lua flags=no-writes${FIRST_LOAD}
return {firstLoad(KEYS[1], ARGV[1], ARGV[2])}`);

const TAKE_LEASE = `
if KEYS[4] then
  local token, since, ledger = firstLoad(KEYS[4], ARGV[6], ARGV[9])
  if token then return reply(state, 'held', token, since, ledger) end
end
local lease = redis.pcall('GET', KEYS[1])
local failures = 0
if type(lease) == 'string' then
  local kind, token, count, rest = string.match(lease, '^([LF])|([^|]*)|(%d+)|(.*)$')
  local isOutdated = token ~= nil and token == ARGV[9]
  local mark, since, ledger = string.match(rest or '', '^(%d*)|?(%d*)|?([^|]*)')
  local isOwn = token == ARGV[1]
  if kind == 'L' and (tonumber(mark) or 0) >= tonumber(ARGV[6]) and not isOutdated and not isOwn then
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
 * KEYS lease, entry, and the ledger if it is on the same node, then the lease of `LeaseRequest.firstLoad`, if there is one; ARGV token, leaseMs, seenId, failureMemoryMs, waitedFor, indexMark, key,
 * slot of the known mark, the token of the load that gives way (empty for none), the count and the ledger that the caller knows, and
 * the prefix of tag indexes, if they are on the same node. The ledger's state, and the lease with the failures before it, or the reason
 * of a refusal.
 *
 * An entry without its bookkeeping counts as changed. What is stored in its place would be in the indexes again:
 *
 *   1. a load sees the index of its URL; the index of a tag is evicted
 *   2. the tag is purged, which does not find the URL's index
 *   3. the load ends, and adds its variant to the URL's index: all its variants, of before 2, would count again
 */
export const ACQUIRE = script(`#!lua flags=allow-oom${LEDGER_STATE}${IS_INDEXED}${FIRST_LOAD}
local state = KEYS[3] and stateOf(KEYS[3], ARGV[8]) or {'', '', '', '', ''}
local front = redis.pcall('GETRANGE', KEYS[2], 0, 20)
if type(front) ~= 'string' then front = '' end
if string.sub(front, 1, 12) ~= ARGV[3] then return reply(state, 'changed') end
local a, b, c = string.byte(front, 19, 21)
if c and ARGV[12] then
  local head = redis.call('GETRANGE', KEYS[2], 0, a * 65536 + b * 256 + c - 1)
  if not isIndexed(head, ARGV[12], ARGV[7]) then return reply(state, 'changed') end
end${TAKE_LEASE}`);

/**
 * As ACQUIRE for a caller that has seen no entry; and the value, if there is one: an empty text if the key is not a string. With the
 * prefix of tag indexes as a further ARGV, a value without its bookkeeping is reported as lost.
 */
export const FIND_OR_ACQUIRE = script(`#!lua flags=allow-oom${LEDGER_STATE}${IS_INDEXED}${FIRST_LOAD}
local state = KEYS[3] and stateOf(KEYS[3], ARGV[8]) or {'', '', '', '', ''}
local value = redis.pcall('GET', KEYS[2])
if type(value) == 'table' then return reply(state, 'found', '') end
if type(value) == 'string' then
  return reply(state, (not ARGV[12] or isIndexed(value, ARGV[12], ARGV[7])) and 'found' or 'lost', value)
end${TAKE_LEASE}`);

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
