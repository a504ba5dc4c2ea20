import { scriptOf } from '@novacron/redis/script';

/** Reads the age of an entry from its header, the first bytes of its value. */
const PEEK = `
local function peek(key)
  local head = redis.call('GETRANGE', key, 0, 40)
  if #head < 41 then return nil end
  return { position = string.sub(head, 2, 21), version = string.sub(head, 22, 41) }
end
-- A resource is as new as its version says; an absence or an answer without a version as its position says.
local function olderThan(entry, version, position)
  if string.sub(entry.version, 1, 1) ~= '-' then return entry.version < version end
  return entry.position < position
end
`;

/** KEYS entry, tombstone, lease, [list generation]; ARGV value, ttl ms, lease's owner. → 1 kept, 0 refused */
const FILL = `${PEEK}
if redis.call('GET', KEYS[3]) == ARGV[3] then redis.call('DEL', KEYS[3]) end
local entry = { position = string.sub(ARGV[1], 2, 21), version = string.sub(ARGV[1], 22, 41) }
local tombstone = redis.call('GET', KEYS[2])
if tombstone and olderThan(entry, string.sub(tombstone, 1, 20), string.sub(tombstone, 21, 40)) then return 0 end
if KEYS[4] then
  local generation = redis.call('GET', KEYS[4])
  if generation and entry.position < generation then return 0 end
end
local held = peek(KEYS[1])
if held then
  local versioned = string.sub(held.version, 1, 1) ~= '-' and string.sub(entry.version, 1, 1) ~= '-'
  if versioned and held.version ~= entry.version then
    if entry.version < held.version then return 0 end
  elseif entry.position < held.position then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`;

/**
 * KEYS for each change: entry and tombstone of a resource, or a list generation and a filler; ARGV ttl ms, then for
 * each change its version ('' for a group) and its position. → entries removed
 */
const INVALIDATE = `${PEEK}
local removed = 0
for i = 1, #KEYS / 2 do
  local version, position = ARGV[i * 2], ARGV[i * 2 + 1]
  if version == '' then
    local known = redis.call('GET', KEYS[i * 2 - 1])
    if known and known > position then position = known end
    redis.call('SET', KEYS[i * 2 - 1], position, 'PX', ARGV[1])
  else
    local entry, tombstone = KEYS[i * 2 - 1], KEYS[i * 2]
    local held = peek(entry)
    if held and olderThan(held, version, position) then
      redis.call('DEL', entry)
      removed = removed + 1
    end
    local known = redis.call('GET', tombstone)
    if known then
      local knownVersion, knownPosition = string.sub(known, 1, 20), string.sub(known, 21, 40)
      if knownVersion > version then version = knownVersion end
      if knownPosition > position then position = knownPosition end
    end
    redis.call('SET', tombstone, version .. position, 'PX', ARGV[1])
  end
end
return removed
`;

/**
 * KEYS entry, lease, [list generation]; ARGV the position that is enough ('' for an entry of any age), owner ('' for no
 * lease), the lease's ms, now.
 * → {value or false, 1 if the caller has the lease now, 2 if another one has it, 0 if none was requested}
 */
const GET = `
local value = redis.call('GET', KEYS[1])
if value then
  if ARGV[1] == '' then return { value, 0 } end
  local position = string.sub(value, 2, 21)
  local ends = tonumber(string.sub(value, 45, 59)) + tonumber(string.sub(value, 60, 69))
  local generation = KEYS[3] and redis.call('GET', KEYS[3])
  local old = generation and position < generation
  if position >= ARGV[1] and ends > tonumber(ARGV[4]) and not old then return { value, 0 } end
end
if ARGV[2] == '' then return { false, 0 } end
local leased = redis.call('SET', KEYS[2], ARGV[2], 'NX', 'PX', ARGV[3])
return { false, leased and 1 or 2 }
`;

/** KEYS lease; ARGV owner. */
const RELEASE = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`;

export const scripts = {
  fill: scriptOf(FILL),
  invalidate: scriptOf(INVALIDATE),
  getOrLease: scriptOf(GET),
  release: scriptOf(RELEASE),
};
