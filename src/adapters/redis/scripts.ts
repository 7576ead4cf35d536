import type { Redis } from "ioredis";

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
 * One take of a rate limit (core/rate-limit.ts) on the server's clock.
 *
 * KEYS[1]  name of the debt: `<end, us> <end, part> <quota> <window, us>`, and the rate that applied; expires when the debt ends
 * ARGV[1]  quota, as decimal digits, because a double cannot hold every quota
 * ARGV[2]  window in us
 * ARGV[3]  parts of a us
 * ARGV[4], ARGV[5]  price: us, part
 * ARGV[6], ARGV[7]  debt that Redis does not know about: us, part
 * ARGV[8], ARGV[9]  minimum debt, including that: us, part
 *
 * Returns whether the price was admitted, and the debt afterwards. Text that is not a debt counts as no debt.
 */
const take = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local quota, window, parts = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local us, part = 0, 0
local changed = false
local endUs, endPart, heldQuota, heldWindow = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) (%d+) (%d+) (%d+)$')
if endUs then
  us, part = endUs - now, tonumber(endPart)
  if us < 0 then us, part = 0, 0 end
  if us >= heldWindow + 0 then us, part = heldWindow + 0, 0 end
  if heldQuota ~= quota or heldWindow ~= ARGV[2] then
    local share = (us + part / math.min(heldQuota, ${2 ** 52})) / heldWindow * (heldQuota / quota)
    us, part = math.min(window, math.ceil(share * window)), 0
    changed = true
  end
end
local function plus(moreUs, morePart)
  local sumUs, sumPart = us + moreUs, part + morePart
  if sumPart >= parts then return sumUs + 1, sumPart - parts end
  return sumUs, sumPart
end
if ARGV[6] ~= '0' or ARGV[7] ~= '0' then
  us, part = plus(ARGV[6], ARGV[7])
  if us >= window then us, part = window, 0 end
  changed = true
end
local leastUs, leastPart = tonumber(ARGV[8]), tonumber(ARGV[9])
if leastUs > us or (leastUs == us and leastPart > part) then
  us, part = leastUs, leastPart
  changed = true
end
local sumUs, sumPart = plus(ARGV[4], ARGV[5])
local admitted = sumUs < window or (sumUs == window and sumPart == 0)
if admitted then
  changed = changed or sumUs ~= us or sumPart ~= part
  us, part = sumUs, sumPart
end
if changed and us + part > 0 then
  local debt = string.format('%.0f %.0f %s %s', now + us, part, quota, ARGV[2])
  redis.call('SET', KEYS[1], debt, 'PX', string.format('%.0f', math.floor(us / 1000) + 1))
end
return {admitted and 1 or 0, us, part}
`;

/** Options of an ioredis client. Each script is sent in full once per connection, then by digest. */
export const scripts = {
  kwPut: { lua: `${putIfNewer}\nput(KEYS[1], ARGV[1], ARGV[2])\nreturn 1`, numberOfKeys: 1 },
  kwAnnounce: { lua: announce },
  kwTake: { lua: take, numberOfKeys: 1 },
};

export interface ScriptedRedis extends Redis {
  kwPut(name: string, entry: Buffer, lifeMs: number): Promise<unknown>;
  kwAnnounce(nameCount: number, ...namesChannelAndEntries: readonly (string | Buffer | number)[]): Promise<unknown>;
  kwTake(
    name: string,
    quota: string,
    windowUs: number,
    partsPerUs: number,
    priceUs: number,
    pricePart: number,
    moreUs: number,
    morePart: number,
    leastUs: number,
    leastPart: number,
  ): Promise<[admitted: number, us: number, part: number]>;
}
