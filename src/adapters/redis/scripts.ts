import type { Redis } from "ioredis";
import { grantedShare, leasedShare } from "../../core/lease.ts";

/*
 * `put(name, entry, life)` stores the entry (encoding.ts) if it is newer. It reads revision and deadline from the first 13 bytes of both
 * entries. Life is in milliseconds; 0 stores nothing and removes anything older.
 *
 * The same revision with a later deadline is the same knowledge, seen later. Without this rule, an entry would stay past its deadline for
 * as long as Redis keeps entries for outages of the store. Values too short for an entry count as absent.
 */
const putIfNewer = `
local function head(bytes)
  local _, revision, deadline = struct.unpack('>BI6I6', bytes)
  return revision, deadline
end
local function put(name, entry, life)
  local revision, deadline = head(entry)
  local held = redis.call('GETRANGE', name, 0, 12)
  if #held == 13 then
    local heldRevision, heldDeadline = head(held)
    if revision < heldRevision or (revision == heldRevision and deadline <= heldDeadline) then return end
  end
  if life == '0' then
    redis.call('DEL', name)
  else
    redis.call('SET', name, entry, 'PX', life)
  end
end
`;

/**
 * Each key in one step, so that a process that receives a change finds the entry in place. ARGV[1]: channel; then entry, life and message
 * for each key.
 */
const announce = `${putIfNewer}
for i, name in ipairs(KEYS) do
  put(name, ARGV[3 * i - 1], ARGV[3 * i])
  redis.call('PUBLISH', ARGV[1], ARGV[3 * i + 1])
end
return 1
`;

/*
 * Debts of rate limits (core/rate-limit.ts) on the server's clock: `<end, us> <end, part> <quota> <window, us>`, with the rate that applied
 * when the debt was made. Each expires when it ends. Text that is not a debt counts as no debt.
 */
const debts = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function plus(parts, us, part, moreUs, morePart)
  local sumUs, sumPart = us + moreUs, part + morePart
  if sumPart >= parts then return sumUs + 1, sumPart - parts end
  return sumUs, sumPart
end
local function held(name)
  local endUs, endPart, quota, window = string.match(redis.call('GET', name) or '', '^(%d+) (%d+) (%d+) (%d+)$')
  if not endUs then return nil end
  local us, part = endUs - now, tonumber(endPart)
  if us < 0 then us, part = 0, 0 end
  if us >= window + 0 then us, part = window + 0, 0 end
  return us, part, quota, window
end
local function store(name, us, part, rate)
  local debt = string.format('%.0f %.0f %s', now + us, part, rate)
  redis.call('SET', name, debt, 'PX', string.format('%.0f', math.floor(us / 1000) + 1))
end
`;

/*
 * One take of rate limits: of all of them, or of none.
 *
 * KEYS     names of the debts
 * ARGV     nine values for each of them:
 *     1    quota, as decimal digits, because a double cannot hold every quota
 *     2    window in us
 *     3    parts of a us
 *     4-5  price: us, part
 *     6-7  debt that Redis does not know about: us, part
 *     8-9  minimum debt, including that: us, part
 *
 * Returns for each whether its price was admitted, and its debt after the take. Prices are added only if all were admitted.
 */
const take = `${debts}local debts = {}
local taken = true
for i, name in ipairs(KEYS) do
  local at = 9 * (i - 1)
  local quota, windowText = ARGV[at + 1], ARGV[at + 2]
  local window, parts = tonumber(windowText), tonumber(ARGV[at + 3])
  local us, part = 0, 0
  local changed = false
  local heldUs, heldPart, heldQuota, heldWindow = held(name)
  if heldUs then
    us, part = heldUs, heldPart
    if heldQuota ~= quota or heldWindow ~= windowText then
      local share = (us + part / math.min(heldQuota, ${2 ** 52})) / heldWindow * (heldQuota / quota)
      us, part = math.min(window, math.ceil(share * window)), 0
      changed = true
    end
  end
  if ARGV[at + 6] ~= '0' or ARGV[at + 7] ~= '0' then
    us, part = plus(parts, us, part, ARGV[at + 6], ARGV[at + 7])
    if us >= window then us, part = window, 0 end
    changed = true
  end
  local leastUs, leastPart = tonumber(ARGV[at + 8]), tonumber(ARGV[at + 9])
  if leastUs > us or (leastUs == us and leastPart > part) then
    us, part = leastUs, leastPart
    changed = true
  end
  local sumUs, sumPart = plus(parts, us, part, ARGV[at + 4], ARGV[at + 5])
  local admitted = sumUs < window or (sumUs == window and sumPart == 0)
  taken = taken and admitted
  debts[i] = { us, part, sumUs, sumPart, admitted, changed, quota .. ' ' .. windowText }
end
local answer = {}
for i, name in ipairs(KEYS) do
  local us, part, sumUs, sumPart, admitted, changed, rate = unpack(debts[i])
  if taken then
    changed = changed or sumUs ~= us or sumPart ~= part
    us, part = sumUs, sumPart
  end
  if changed and us + part > 0 then
    store(name, us, part, rate)
  end
  answer[3 * i - 2], answer[3 * i - 1], answer[3 * i] = admitted and 1 or 0, us, part
end
return answer
`;

/*
 * Returns a lease, grants another, or both (core/lease.ts).
 *
 * KEYS[1]  the debt
 * KEYS[2]  the leases that may still be spent: `<quota> <window, us>`, then for each ` <granted at, us> <amount: us> <part>`
 * ARGV
 *     1-3  quota, window, parts, as for a take
 *     4    life of a lease in us
 *     5-6  amount to grant: us, part; 0 0 grants none
 *     7    the lease to return, as it is written in KEYS[2]; empty returns none
 *     8-9  what is left of it: us, part
 *
 * Without the leases, the debt must last for the life of a lease, so that the rest of the debt does not end while a lease can still be
 * spent or returned. If it would not last, it is raised. Returns when the lease was granted, and the debt, or nothing if none was granted.
 * Under another rate nothing is granted or taken back: the next take converts the debt, and the leases of the old rate end by themselves.
 */
const lease = `${debts}
local rate = ARGV[1] .. ' ' .. ARGV[2]
local window, parts, life = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local us, part, heldQuota, heldWindow = held(KEYS[1])
if us == nil then us, part = 0, 0 elseif heldQuota .. ' ' .. heldWindow ~= rate then return nil end
local leasesRate, leases = string.match(redis.call('GET', KEYS[2]) or '', '^(%d+ %d+)([%d ]*)$')
if leasesRate and leasesRate ~= rate then return nil end
local live, liveUs, livePart = {}, 0, 0
local returned = false
for at, leaseUs, leasePart in string.gmatch(leases or '', ' (%d+) (%d+) (%d+)') do
  local text = ' ' .. at .. ' ' .. leaseUs .. ' ' .. leasePart
  if math.abs(now - at) <= life then
    if text == ARGV[7] and not returned then
      returned = true
    else
      live[#live + 1] = text
      liveUs, livePart = plus(parts, liveUs, livePart, leaseUs, leasePart)
    end
  end
end
if returned then
  local leftUs, leftPart = us - ARGV[8], part - ARGV[9]
  if leftPart < 0 then leftUs, leftPart = leftUs - 1, leftPart + parts end
  if leftUs >= 0 then us, part = leftUs, leftPart end
end
local amountUs, amountPart = tonumber(ARGV[5]), tonumber(ARGV[6])
local granted = false
if amountUs + amountPart > 0 then
  local ownUs = us - liveUs
  if part < livePart then ownUs = ownUs - 1 end
  local leastUs = us + math.max(0, life - ownUs)
  local left = window - leastUs - 1
  granted = amountUs + 1 <= left / ${grantedShare} and liveUs + amountUs + 2 <= left / ${leasedShare}
  if granted then
    us, part = plus(parts, leastUs, part, amountUs, amountPart)
    live[#live + 1] = string.format(' %.0f %.0f %.0f', now, amountUs, amountPart)
  end
end
if not granted and not returned then return nil end
store(KEYS[1], us, part, rate)
redis.call('SET', KEYS[2], rate .. table.concat(live), 'PX', string.format('%.0f', math.floor(life / 1000) + 1))
return granted and { now, us, part } or nil
`;

/** Options of an ioredis client. Each script is sent in full once per connection, then by digest. */
export const scripts = {
  kwPut: { lua: `${putIfNewer}\nput(KEYS[1], ARGV[1], ARGV[2])\nreturn 1`, numberOfKeys: 1 },
  kwAnnounce: { lua: announce },
  kwTake: { lua: take },
  kwLease: { lua: lease, numberOfKeys: 2 },
};

export interface ScriptedRedis extends Redis {
  kwPut(name: string, entry: Buffer, lifeMs: number): Promise<unknown>;
  kwAnnounce(nameCount: number, ...namesChannelAndEntries: readonly (string | Buffer | number)[]): Promise<unknown>;
  kwTake(nameCount: number, ...namesAndValues: readonly (string | number)[]): Promise<number[]>;
  kwLease(debtName: string, leasesName: string, ...values: readonly (string | number)[]): Promise<[number, number, number] | null>;
}
