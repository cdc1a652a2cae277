/**
 * The books of several replicas over one queue: entries come by one and are sent by another, replicas come, go and are
 * killed. Each entry names the replica that it came by, and each replica has an account in Redis, which the scripts keep in
 * the same step in which they add or remove the entry. What a replica counts is what its account says: so entries that are
 * sent twice, settled twice, or settled in a call whose answer was lost count once.
 *
 * Of a replica that is gone another is the heir: what still waits of its account is inherited there, and is settled there; so is
 * what others had settled of it that it never heard of, so that a crash hides no dead letter.
 * So at any time, over the replicas that live, inherited and received is what was delivered, buried, or waits. Retried dead letters
 * came by no replica: they are always inherited.
 *
 * An account: `here`, entries that bear its name; `queued`, `inherited`, `delivered`, `buried`; what of the last two its replica
 * was told (`toldDelivered`, `toldBuried`; absent where an earlier version kept it); of one that is gone the `heir`, what the
 * heir has `taken`, and what it has settled of that (`sent`, `dug`), so that a replica that was only taken for dead gets its
 * entries back.
 */
export const ACCOUNTS = `
local books, waiting, dead, lease, replicas, accounts = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]

local function account(name)
  local text = redis.call('HGET', accounts, name)
  return text and cjson.decode(text)
    or {
      here = 0, queued = 0, inherited = 0, delivered = 0, buried = 0, toldDelivered = 0, toldBuried = 0,
      taken = 0, sent = 0, dug = 0
    }
end

local function keep(name, a)
  redis.call('HSET', accounts, name, cjson.encode(a))
end

local function add(name, column, n)
  local a = account(name)
  a[column] = a[column] + n
  keep(name, a)
end

local function queue(name, n)
  local a = account(name)
  a.here = a.here + n
  a.queued = a.queued + n
  keep(name, a)
end

-- So many entries left the stream, by the name they bore.
local function settle(column, gone)
  for name, n in pairs(gone) do
    local a = account(name)
    a.here = a.here - n
    if a.heir then
      local part = column == 'buried' and 'dug' or 'sent'
      a[part] = a[part] + n
      add(a.heir, column, n)
    else
      a[column] = a[column] + n
    end
    keep(name, a)
  end
end

-- For the answer to the replica itself.
local function tell(name)
  local a = account(name)
  if a.toldDelivered ~= a.delivered or a.toldBuried ~= a.buried then
    a.toldDelivered, a.toldBuried = a.delivered, a.buried
    keep(name, a)
  end
  return { a.queued, a.inherited, a.delivered, a.buried }
end

local function lives(name)
  return redis.call('ZSCORE', replicas, name)
end

-- What its heir has settled it has settled; the heir has taken the rest alone.
local function takeOver(a)
  a.taken = a.taken - a.sent - a.dug
  a.delivered, a.buried = a.delivered + a.sent, a.buried + a.dug
  a.sent, a.dug = 0, 0
end

-- To the first heir of an account, whose replica is gone: what was settled of it that its replica was never told.
local function bequeath(a, heir)
  local sent, dug = a.delivered - (a.toldDelivered or a.delivered), a.buried - (a.toldBuried or a.buried)
  if sent + dug == 0 then return end
  a.delivered, a.buried = a.delivered - sent, a.buried - dug
  a.taken, a.sent, a.dug = sent + dug, sent, dug
  local h = account(heir)
  h.inherited, h.delivered, h.buried = h.inherited + sent + dug, h.delivered + sent, h.buried + dug
  keep(heir, h)
end

-- Whoever was taken for dead answers for its entries itself again. What its heir has settled of them stays in the books of
-- both, as come and as gone: a counter that was read cannot be taken back.
local function comeBack(name)
  local a = account(name)
  if not a.heir then return end
  add(a.heir, 'inherited', a.sent + a.dug - a.taken)
  takeOver(a)
  a.taken, a.heir = 0, nil
  keep(name, a)
end

-- Of all that are gone, what nobody answers for. The account of one of whom nothing waits is kept for an hour.
local function inherit(name, now)
  for _, gone in ipairs(redis.call('HKEYS', accounts)) do
    if not lives(gone) then
      local a = account(gone)
      if not (a.heir and lives(a.heir)) then
        -- An heir that is gone too leaves what it has taken, among all that is its own.
        if a.heir then takeOver(a) else bequeath(a, name) end
        a.heir, a.since = name, now
      end
      local open = a.queued + a.inherited - a.delivered - a.buried - a.taken
      if open ~= 0 then
        a.taken = a.taken + open
        add(a.heir, 'inherited', open)
      end
      if a.here == 0 and now - a.since > 3600000 then redis.call('HDEL', accounts, gone) else keep(gone, a) end
    end
  end
end
`

/** What has come and gone by one replica, since its process began. */
export interface Account {
  queued: number
  inherited: number
  delivered: number
  buried: number
}

export function readAccount([queued = 0, inherited = 0, delivered = 0, buried = 0]: number[]): Account {
  return { queued, inherited, delivered, buried }
}

export type Counted = 'inherited' | 'delivered' | 'dead_letter'

export interface Counts {
  /** Redis answered an append of so many entries. */
  stored(entries: number): void
  /** @param quiet whether no append is under way */
  said(account: Account, quiet: boolean): void
}

/** Tells of each change of this replica's account, once. */
export function createCounts(count: (what: Counted, entries: number) => void): Counts {
  let last: Account = readAccount([])
  let stored = 0
  const told = { inherited: 0, delivered: 0, dead_letter: 0 }

  function upTo(what: Counted, total: number): void {
    // Less than was told: see `comeBack`. What comes next fills it up.
    if (total <= told[what]) return
    count(what, total - told[what])
    told[what] = total
  }

  return {
    stored(entries) {
      stored += entries
    },

    said(account, quiet) {
      if (account.queued < last.queued) {
        // A Redis that was emptied, or has lost what it knew last, begins anew.
        stored = account.queued
        Object.assign(told, { inherited: 0, delivered: 0, dead_letter: 0 })
      }
      last = account
      // Appended, and the answer lost: the browser was told no, so they are in the books as rejected, and yet will be sent.
      const doubtful = quiet ? Math.max(0, account.queued - stored) : 0
      if (doubtful > 0) {
        stored += doubtful
        count('inherited', doubtful)
      }
      upTo('inherited', account.inherited)
      upTo('delivered', account.delivered)
      upTo('dead_letter', account.buried)
    }
  }
}
