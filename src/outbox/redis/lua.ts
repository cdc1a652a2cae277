import { ACCOUNTS } from './accounts.js'

/**
 * What is done to the queue in Redis, each in one step that nobody sees half of: Lua scripts, one round trip each. All keys
 * carry one hash tag, so they lie in one slot of a cluster.
 *
 * - `books`    hash: `waiting` entries, `dead` letters, `bytes` of both, and the last `sequence`
 * - `waiting`  stream of the entries in the order of their acknowledgement, fields u(ser) t(ime) b(ody) f(rom which replica)
 * - `dead`     stream of the dead letters, u(ser) t(ime) b(ody) r(eason) d(ied)
 * - `lease`    who sends: `<sequence>:<token>`, with a time to live
 * - `replicas` sorted set of those alive, by when they count as gone
 * - `accounts` hash by replica, see `accounts.ts`
 *
 * Ids are `<sequence>-0`. A sequence is the server's microseconds, or one more than the last where that is not higher: a
 * number as it is (below 2^53), and never given twice, even by a Redis that lost its last second in a crash.
 *
 * While Redis has reached `maxmemory`, a script's first write is refused if that may take memory; after a write that may
 * not, nothing is (script.c, SCRIPT_WRITE_DIRTY). So everything but appends begins with a deletion, of nothing if need be,
 * and a full Redis drains.
 *
 * A script that fails half-way is not rolled back. So what moves is written before it is deleted: at worst it is there twice.
 */
export const PRELUDE = `
${ACCOUNTS}

local function state(more, replica)
  local b = redis.call('HMGET', books, 'waiting', 'bytes', 'dead')
  local first = redis.call('XRANGE', waiting, '-', '+', 'COUNT', 1)[1]
  return {
    tonumber(b[1] or 0), tonumber(b[2] or 0), tonumber(b[3] or 0), first and first[2][4] or '', more,
    replica and tell(replica) or {}
  }
end

local function microseconds()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

-- The sequence before the first of n new ones.
local function sequences(n)
  local last = math.max(tonumber(redis.call('HGET', books, 'sequence') or 0), microseconds())
  redis.call('HSET', books, 'sequence', string.format('%.0f', last + n))
  return last
end

local function id(sequence)
  return string.format('%.0f-0', sequence)
end

local function count(name, by)
  if by ~= 0 then redis.call('HINCRBY', books, name, string.format('%.0f', by)) end
end

local function evenFull()
  redis.call('HDEL', books, '')
end

local function sends(holder)
  return redis.call('GET', lease) == holder
end

local function replicaOf(holder)
  return string.match(holder, ':(.*)$')
end
`

/** Bytes that an entry counts for besides its user and body: about what the stream takes for it. */
export const OVERHEAD = 64
const GROUP = 'senders'

export const SCRIPTS = {
  // most bytes, time, replica, user, body, user, body...
  append: `
local n = (#ARGV - 3) / 2
local size = n * ${OVERHEAD}
for i = 4, #ARGV do size = size + #ARGV[i] end
if tonumber(redis.call('HGET', books, 'bytes') or 0) + size > tonumber(ARGV[1]) then return state(-1) end
local last = sequences(n)
for i = 1, n do
  redis.call('XADD', waiting, id(last + i), 'u', ARGV[2 + 2 * i], 't', ARGV[2], 'b', ARGV[3 + 2 * i], 'f', ARGV[3])
end
queue(ARGV[3], n)
count('waiting', n)
count('bytes', size)
return state(string.format('%.0f', last + 1))`,

  // replica, milliseconds of a lease, of a replica's life, whether it is its first, as whom it holds the lease, if it does.
  // Who begins anew gets another number: what was asked before, over a connection that broke, may come later than this.
  beat: `
local name, life = ARGV[1], tonumber(ARGV[3])
local now = math.floor(microseconds() / 1000)
evenFull()
local last = tonumber(redis.call('HGET', books, 'beat') or now)
redis.call('HSET', books, 'beat', string.format('%.0f', now))
if ARGV[4] ~= 'first' and now - last > life / 2 then
  -- Nobody was heard: it was Redis that stood still.
  for _, other in ipairs(redis.call('ZRANGE', replicas, 0, -1)) do redis.call('ZADD', replicas, now + life, other) end
end
redis.call('ZREMRANGEBYSCORE', replicas, '-inf', now)
redis.call('ZADD', replicas, now + life, name)
comeBack(name)
inherit(name, now)
local holder = redis.call('GET', lease)
local mine = holder and string.sub(holder, -#name) == name
if mine and ARGV[5] ~= '' then
  redis.call('PEXPIRE', lease, ARGV[2])
elseif mine or not holder then
  holder = string.format('%.0f', sequences(1) + 1) .. ':' .. name
  redis.call('SET', lease, holder, 'PX', ARGV[2])
  redis.pcall('XGROUP', 'CREATE', waiting, '${GROUP}', '0', 'MKSTREAM')
  -- Where other hands took the stream away, what the books say of it would fill the queue for good.
  local left = redis.call('XLEN', waiting)
  redis.call('HSET', books, 'waiting', left)
  if left == 0 and redis.call('XLEN', dead) == 0 then redis.call('HSET', books, 'bytes', 0) end
  mine = true
end
return state(mine and holder or '', name)`,

  // replica: a clean stop
  leave: `
redis.call('ZREM', replicas, ARGV[1])
local holder = redis.call('GET', lease)
if holder and string.sub(holder, -#ARGV[1]) == ARGV[1] then redis.call('DEL', lease) end
return state(0, ARGV[1])`,

  // holder, entries, after: what was read before and is not settled, or '>': what nobody has read
  read: `
if not sends(ARGV[1]) then return false end
local found = redis.call('XREADGROUP', 'GROUP', '${GROUP}', 'sender', 'COUNT', ARGV[2], 'STREAMS', waiting, ARGV[3])
return { found and found[1][2] or {} }`,

  // holder, id, size, from, id, size, from...
  forget: `
if not sends(ARGV[1]) then return false end
local n, size, gone = 0, 0, {}
for i = 2, #ARGV, 3 do
  if redis.call('XDEL', waiting, ARGV[i]) == 1 then
    n = n + 1
    size = size + tonumber(ARGV[i + 1])
    gone[ARGV[i + 2]] = (gone[ARGV[i + 2]] or 0) + 1
  end
  redis.call('XACK', waiting, '${GROUP}', ARGV[i])
end
settle('delivered', gone)
count('waiting', -n)
count('bytes', -size)
return state(n, replicaOf(ARGV[1]))`,

  // holder, time, id, reason, id, reason...
  bury: `
if not sends(ARGV[1]) then return false end
local n, size, gone = 0, 0, {}
evenFull()
for i = 3, #ARGV, 2 do
  local found = redis.call('XRANGE', waiting, ARGV[i], ARGV[i])[1]
  if found then
    local f = found[2]
    redis.call('XADD', dead, id(sequences(1) + 1), 'u', f[2], 't', f[4], 'b', f[6], 'r', ARGV[i + 1], 'd', ARGV[2])
    redis.call('XDEL', waiting, ARGV[i])
    n = n + 1
    size = size + #ARGV[i + 1]
    local from = f[8] or ''
    gone[from] = (gone[from] or 0) + 1
  end
  redis.call('XACK', waiting, '${GROUP}', ARGV[i])
end
settle('buried', gone)
count('waiting', -n)
count('dead', n)
count('bytes', size)
return state(n)`,

  // 'retry' or 'purge', time, then ids; or 'all', the last id, how many
  exhume: `
local letters = {}
if ARGV[3] == 'all' then
  letters = redis.call('XRANGE', dead, '-', ARGV[4], 'COUNT', ARGV[5])
else
  local named = {}
  for i = 3, #ARGV do
    if not named[ARGV[i]] then letters[#letters + 1] = redis.call('XRANGE', dead, ARGV[i], ARGV[i])[1] end
    named[ARGV[i]] = true
  end
end
local n, size = #letters, 0
evenFull()
for i = 1, n do
  local f = letters[i][2]
  size = size + #f[8]
  if ARGV[1] == 'retry' then
    redis.call('XADD', waiting, id(sequences(1) + 1), 'u', f[2], 't', ARGV[2], 'b', f[6], 'f', '')
  else
    size = size + #f[2] + #f[6] + ${OVERHEAD}
  end
  redis.call('XDEL', dead, letters[i][1])
end
count('dead', -n)
count('bytes', -size)
if ARGV[1] == 'retry' and n > 0 then
  count('waiting', n)
  queue('', n)
end
return state(n)`,

  state: 'return state(0)'
} as const
