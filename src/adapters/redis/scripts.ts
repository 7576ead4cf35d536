import type { Redis } from "ioredis";

/*
 * `put(name, entry, life)`: the entry (encoding.ts), of which revision and deadline are read from its first 13 bytes, as are those of the one
 * that is there; life in milliseconds, 0 keeps nothing and removes what is older.
 *
 * The same revision with a later deadline is the same knowledge, seen later: without it, an entry would stay past its deadline for as long
 * as Redis keeps it for times without the store. Bytes too short for an entry count as none.
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

/** Each in one step, so whoever hears of a change finds it in place. ARGV[1]: channel; then entry, life and message for each key. */
const tell = `${putIfNewer}
for i, name in ipairs(KEYS) do
  put(name, ARGV[3 * i - 1], ARGV[3 * i])
  redis.call('PUBLISH', ARGV[1], ARGV[3 * i + 1])
end
return 1
`;

/** Options of an ioredis client; sent whole once on each connection, and by digest from then on. */
export const scripts = {
  kwPut: { lua: `${putIfNewer}\nput(KEYS[1], ARGV[1], ARGV[2])\nreturn 1`, numberOfKeys: 1 },
  kwTell: { lua: tell },
};

export interface ScriptedRedis extends Redis {
  kwPut(name: string, entry: Buffer, lifeMs: number): Promise<unknown>;
  kwTell(nameCount: number, ...namesChannelAndEntries: readonly (string | Buffer | number)[]): Promise<unknown>;
}
