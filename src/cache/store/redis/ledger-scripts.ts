import { LEDGER_STATE, script } from './lua';

/*
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
