import { createHash } from 'node:crypto';

/** A Lua script and its SHA-1. */
export interface Script {
  readonly source: string;
  readonly sha: string;
}

export function script(source: string): Script {
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}

/*
 * Scripts run by EVALSHA. Those of leases and entries know that bytes 0–11 of an entry are its id, 12–17 the mark of its last soft purge,
 * 18–20 the length of the head, after which the body begins (`entry-codec.ts`). `allow-oom` (Redis 7): a full Redis can still grant one load
 * per key and still invalidate. This file has the parts that several scripts share.
 */

export const LEDGER_STATE = `
local function stateOf(name, slot)
  local state = redis.pcall('HMGET', name, 's', 'i', 'l', 'w', slot)
  if state.err or not tonumber(state[1]) or not state[2] or not state[3] then return {'', '', '', '', ''} end
  return {state[1], state[2], state[3], state[4] or '', state[5] or ''}
end
local function reply(state, ...)
  return {state[1], state[2], state[3], state[4], state[5], ...}
end`;

/**
 * Whether each indexed tag of a value has the key in its index; they are the first tags of its metadata (`entry-codec.ts`). The keys of
 * the indexes come from the value alone, which a single node allows and a Cluster does not.
 */
export const IS_INDEXED = `
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
 * How often a URL with nothing stored has been stored since loads under way began; 0 for leases without a selection. Of several concurrent
 * first loads one stores first. Another that then finds nothing knows that the entry was removed since, even by a bare DEL.
 */
export const FIRSTS = `
local function firstsName(lease)
  local slot = string.match(lease, '^(.*})|')
  return slot and slot .. '|'
end
local function firstsOf(lease)
  local name = firstsName(lease)
  local firsts = name and redis.pcall('GET', name)
  return type(firsts) == 'string' and string.match(firsts, '^%d+$') or '0'
end`;

export const IS_MINE = `
local lease = redis.pcall('GET', KEYS[1])
local mine = 'L|' .. ARGV[1] .. '|'
if type(lease) ~= 'string' or string.sub(lease, 1, #mine) ~= mine then return 0 end`;
