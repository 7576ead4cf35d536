import { grantedShare, leasedShare, livesAfterChange } from "../../core/lease.ts";
import { maxOtherRates } from "../../core/rate-limit.ts";

/*
 * Debts of rate limits (core/rate-limit.ts) on the server's clock: `<end, us> <end, part> <quota> <window, us>`, with the rate that applied
 * when the debt was made. If takes came under other rates too, then ` <last change of the rate, us>` and the debt under each of these
 * follow, in the same form: what is spent under one rate is spent under all. Each expires when its last debt ends. Text that is not a debt
 * counts as no debt. adapters/memory/balances.ts does the same for one process; test/limit/ledgers-agree.test.ts compares them.
 */
const debts = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function plus(parts, us, part, moreUs, morePart)
  local sumUs, sumPart = us + moreUs, part + morePart
  if sumPart >= parts then return sumUs + 1, sumPart - parts end
  return sumUs, sumPart
end
local function left(endUs, part, window)
  local us = endUs - now
  if us < 0 then return 0, 0 end
  if us >= window + 0 then return window + 0, 0 end
  return us, part + 0
end
local function held(name)
  local endUs, endPart, quota, window, rest = string.match(redis.call('GET', name) or '', '^(%d+) (%d+) (%d+) (%d+)([%d ]*)$')
  if not endUs then return nil end
  local us, part = left(endUs, endPart, window)
  return us, part, quota, window, rest
end
-- In one function, so that takes of limits with one rate, the usual ones, do not make them.
local function ofOthers()
  local function othersOf(rest)
    local since, list = string.match(rest, '^ (%d+)(.*)$')
    local others = {}
    for endUs, endPart, quota, window in string.gmatch(list or '', ' (%d+) (%d+) (%d+) (%d+)') do
      local us, part = left(endUs, endPart, window)
      others[#others + 1] = { us, part, quota, window }
    end
    return others, tonumber(since or 0)
  end
  local function convert(us, part, quota, window, toQuota, toWindow)
    local exact = (us + part / math.min(quota, ${2 ** 52})) / window * (quota / toQuota) * toWindow
    if exact >= toWindow + 0 then return toWindow + 0, 0 end
    local whole, parts = math.floor(exact), math.min(toQuota, ${2 ** 52})
    local toPart = math.ceil((exact - whole) * parts)
    if toPart >= parts then return whole + 1, 0 end
    return whole, toPart
  end
  local function charge(others, us, part, quota, window)
    for _, other in ipairs(others) do
      local moreUs, morePart = convert(us, part, quota, window, other[3], other[4])
      other[1], other[2] = plus(math.min(other[3], ${2 ** 52}), other[1], other[2], moreUs, morePart)
      if other[1] >= other[4] + 0 then other[1], other[2] = other[4] + 0, 0 end
    end
  end
  return othersOf, convert, charge
end
local function store(name, us, part, rate, others, since)
  local debt, longest = string.format('%.0f %.0f %s', now + us, part, rate), us
  if others and #others > 0 then
    debt = debt .. string.format(' %.0f', since)
    for _, other in ipairs(others) do
      debt = debt .. string.format(' %.0f %.0f %s %s', now + other[1], other[2], other[3], other[4])
      longest = math.max(longest, other[1])
    end
  end
  redis.call('SET', name, debt, 'PX', string.format('%.0f', math.floor(longest / 1000) + 1))
end
`;

/* Returns the debt under another rate, and those under the rates that are not in force any more. */
const turn = `
local function turn(us, part, quota, window, rest, toQuota, toWindow)
  local othersOf, convert = ofOthers()
  local own, others = nil, {}
  for _, other in ipairs(othersOf(rest)) do
    if other[3] == toQuota and other[4] == toWindow then own = other else others[#others + 1] = other end
  end
  others[#others + 1] = { us, part, quota, window }
  if #others > ${maxOtherRates} then
    local least = 1
    local function units(other) return other[1] / other[4] * other[3] end
    for i, other in ipairs(others) do
      if units(other) < units(others[least]) then least = i end
    end
    table.remove(others, least)
  end
  if own then return others, own[1], own[2] end
  return others, convert(us, part, quota, window, toQuota, toWindow)
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
export const take = `${debts}${turn}local debts = {}
local taken = true
for i, name in ipairs(KEYS) do
  local at = 9 * (i - 1)
  local quota, windowText = ARGV[at + 1], ARGV[at + 2]
  local window, parts = tonumber(windowText), tonumber(ARGV[at + 3])
  local us, part = 0, 0
  local changed = false
  local others, since
  local heldUs, heldPart, heldQuota, heldWindow, rest = held(name)
  if heldUs then
    us, part = heldUs, heldPart
    if heldQuota ~= quota or heldWindow ~= windowText then
      others, us, part = turn(us, part, heldQuota, heldWindow, rest, quota, windowText)
      changed, since = true, now
    elseif rest ~= '' then
      local othersOf = ofOthers()
      others, since = othersOf(rest)
    end
  end
  local knownUs, knownPart = us, part
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
  if others then debts[i].others = { others, since, knownUs, knownPart, parts, quota, windowText } end
end
local answer = {}
for i, name in ipairs(KEYS) do
  local us, part, sumUs, sumPart, admitted, changed, rate = unpack(debts[i])
  if taken then
    changed = changed or sumUs ~= us or sumPart ~= part
    us, part = sumUs, sumPart
  end
  if changed and us + part > 0 then
    local others, since
    if debts[i].others then
      local knownUs, knownPart, parts, quota, window
      others, since, knownUs, knownPart, parts, quota, window = unpack(debts[i].others)
      local moreUs, morePart = us - knownUs, part - knownPart
      if morePart < 0 then moreUs, morePart = moreUs - 1, morePart + parts end
      local _, _, charge = ofOthers()
      charge(others, moreUs, morePart, quota, window)
    end
    store(name, us, part, rate, others, since)
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
 * If debts under other rates are kept, a lease is charged to them when it is granted. What returns stays spent there, because they may
 * have reached their quota meanwhile. So no lease is granted soon after the rate changed, and none from before that is taken back.
 */
export const lease = `${debts}
local rate = ARGV[1] .. ' ' .. ARGV[2]
local window, parts, life = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local us, part, heldQuota, heldWindow, rest = held(KEYS[1])
if us == nil then us, part = 0, 0 elseif heldQuota .. ' ' .. heldWindow ~= rate then return nil end
local othersOf, convert, charge = ofOthers()
local others, since = othersOf(rest or '')
local leasesRate, leases = string.match(redis.call('GET', KEYS[2]) or '', '^(%d+ %d+)([%d ]*)$')
if leasesRate and leasesRate ~= rate then return nil end
local live, liveUs, livePart = {}, 0, 0
local returned = false
for at, leaseUs, leasePart in string.gmatch(leases or '', ' (%d+) (%d+) (%d+)') do
  local text = ' ' .. at .. ' ' .. leaseUs .. ' ' .. leasePart
  if math.abs(now - at) <= life then
    if text == ARGV[7] and not returned and at + 0 > since then
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
  local room = window - leastUs - 1
  granted = amountUs + 1 <= room / ${grantedShare} and liveUs + amountUs + 2 <= room / ${leasedShare}
  granted = granted and (#others == 0 or now - since > life * ${livesAfterChange})
  if granted then
    us, part = plus(parts, leastUs, part, amountUs, amountPart)
    for _, other in ipairs(others) do
      other[1] = math.min(other[4] + 0, math.max(other[1], convert(liveUs + 1, 0, ARGV[1], ARGV[2], other[3], other[4]) + life))
    end
    charge(others, amountUs, amountPart, ARGV[1], ARGV[2])
    live[#live + 1] = string.format(' %.0f %.0f %.0f', now, amountUs, amountPart)
  end
end
if not granted and not returned then return nil end
store(KEYS[1], us, part, rate, others, since)
redis.call('SET', KEYS[2], rate .. table.concat(live), 'PX', string.format('%.0f', math.floor(life / 1000) + 1))
return granted and { now, us, part } or nil
`;
