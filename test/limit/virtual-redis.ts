import type { Redis } from "ioredis";
import type { Circuit } from "../../src/adapters/redis/circuit.ts";
import { createRedisLedger } from "../../src/adapters/redis/ledger.ts";
import type { Link } from "../../src/adapters/redis/link.ts";
import { scripts } from "../../src/adapters/redis/scripts.ts";
import type { SharedLedger } from "../../src/ports/ledger.ts";
import type { Limit } from "../../src/ports/rate-limiter.ts";

export type Command = "kwTake" | "kwLease";
export type RunCommand = (command: Command, given: readonly (string | number)[]) => Promise<unknown>;
export type ChangeScript = (script: string) => string;

/** Units of one limit that were admitted. They count from when they were taken from a lease, or at the server. */
export interface Admission {
  readonly id: string;
  readonly atUs: number;
  readonly cost: number;
}

/** Runs the scripts on a real server, at a time of the test's own. */
export function virtualRedis(redis: Redis, nowUs: () => number, change: { readonly [command in Command]?: ChangeScript } = {}): RunCommand {
  const luaOf = (command: Command) => inVirtualTime((change[command] ?? ((script) => script))(scripts[command].lua));
  const lua = { kwTake: luaOf("kwTake"), kwLease: luaOf("kwLease") };
  return (command, given) => {
    const [nameCount, values] = command === "kwTake" ? [given[0] as number, given.slice(1)] : [2, given];
    return redis.eval(lua[command], nameCount, ...values, nowUs());
  };
}

/** A link to a server that runs the scripts so. */
export function virtualLink(run: RunCommand): Link {
  const node = {
    kwTake: (...given: (string | number)[]) => run("kwTake", given),
    kwLease: (...given: (string | number)[]) => run("kwLease", given),
  };
  return { cacheId: "server", nodeOf: () => node } as unknown as Link;
}

/** The ledger on such a server. */
export function virtualLedger(run: RunCommand, namespace: string): SharedLedger {
  const link = virtualLink(run);
  const circuit: Circuit = {
    link,
    attempt: async (commands) => ({ link, result: await commands(link) }),
    attach: () => {},
    close: () => {},
  };
  return createRedisLedger(circuit, { namespace });
}

/** The same script with the time as its last argument. Nothing expires, because the server's own clock runs at another speed. */
function inVirtualTime(script: string): string {
  const changed = script
    .replace(/local time = .*\nlocal now = .*\n/, "local now = tonumber(ARGV[#ARGV])\n")
    .replaceAll(/, 'PX', string\.format\(.*\)\)$/gm, ")");
  if (/'TIME'|'PX'/.test(changed)) throw new Error("this test expects another form of the scripts");
  return changed;
}

/** A bug for the test to find. */
export function replaced(from: string, to: string): ChangeScript {
  return (script) => {
    if (!script.includes(from)) throw new Error(`the script no longer contains: ${from}`);
    return script.replace(from, to);
  };
}

/** Returns how many units are left, if what was admitted is all that was spent. */
export function leftOf({ id, policy }: Limit, admissions: readonly Admission[], nowUs: number): number {
  const unitUs = (policy.windowMs * 1000) / Number(policy.quota);
  let [debtUs, lastUs] = [0, 0];
  for (const { atUs, cost } of [...admissions.filter((each) => each.id === id).sort((a, b) => a.atUs - b.atUs), { atUs: nowUs, cost: 0 }]) {
    debtUs = Math.max(0, debtUs - (atUs - lastUs)) + cost * unitUs;
    lastUs = atUs;
  }
  return Number(policy.quota) - debtUs / unitUs;
}

/**
 * Returns how many units were admitted beyond quota + t x quota / window in the worst span t. Follows the algorithm of core/rate-limit.ts
 * in whole numbers: one microsecond is `quota` parts.
 */
export function excessOf({ id, policy }: Limit, admissions: readonly Admission[]): number {
  const [quota, windowUs] = [policy.quota, BigInt(policy.windowMs * 1000)];
  // The time of an admission is rounded down to a microsecond, and so is the server's.
  const most = windowUs * quota + 2n * quota;
  let [debt, lastUs, excess] = [0n, 0n, 0n];
  for (const { atUs, cost } of admissions.filter((each) => each.id === id).sort((a, b) => a.atUs - b.atUs)) {
    const shrunk = debt - (BigInt(atUs) - lastUs) * quota;
    debt = (shrunk > 0n ? shrunk : 0n) + BigInt(cost) * windowUs;
    lastUs = BigInt(atUs);
    if (debt - most > excess) excess = debt - most;
  }
  return Number(excess) / Number(windowUs);
}
