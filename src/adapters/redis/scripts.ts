import type { Redis } from "ioredis";
import { lease, take } from "./limit-scripts.ts";

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
