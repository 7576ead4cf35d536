import type { Redis } from "ioredis";

/*
 * KEYS[1]  name of the entry
 * ARGV[1]  the entry (encoding.ts); its revision and deadline are read from its first 13 bytes, as are those of the one that is there
 * ARGV[2]  life in milliseconds; 0 keeps nothing, and removes what is older
 *
 * The same revision with a later deadline is the same knowledge, seen later: without it, an entry would stay past its deadline for as long
 * as Redis keeps it for times without the store. Bytes too short for an entry count as none.
 */
const putIfNewer = `
local function head(bytes)
  local _, revision, deadline = struct.unpack('>BI6I6', bytes)
  return revision, deadline
end
local revision, deadline = head(ARGV[1])
local held = redis.call('GETRANGE', KEYS[1], 0, 12)
local newer = true
if #held == 13 then
  local heldRevision, heldDeadline = head(held)
  newer = revision > heldRevision or (revision == heldRevision and deadline > heldDeadline)
end
if newer then
  if ARGV[2] == '0' then
    redis.call('DEL', KEYS[1])
  else
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  end
end
`;

/** In one step, so whoever hears of the change finds it in place. ARGV[3]: channel, ARGV[4]: message. */
const tell = `${putIfNewer}
redis.call('PUBLISH', ARGV[3], ARGV[4])
return 1
`;

/** Options of an ioredis client; sent whole once on each connection, and by digest from then on. */
export const scripts = {
  kwPut: { lua: `${putIfNewer}\nreturn 1`, numberOfKeys: 1 },
  kwTell: { lua: tell, numberOfKeys: 1 },
};

export interface ScriptedRedis extends Redis {
  kwPut(name: string, entry: Buffer, lifeMs: number): Promise<unknown>;
  kwTell(name: string, entry: Buffer, lifeMs: number, channel: string, message: string): Promise<unknown>;
}
