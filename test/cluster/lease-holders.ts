import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { until } from "../support/cache-listener.ts";
import { withRedis } from "../support/redis-groups.ts";
import { verifyPath } from "./changes.ts";
import type { Cluster, Node } from "./cluster.ts";
import { type IssuedKey, issuedKeyOf, issuedPath, untilCached, verdictOf } from "./keys.ts";
import { lossesOf } from "./rate-limits.ts";

const quota = 24_000;
const windowSeconds = 3600;
const cost = 10;
const loopsPerNode = 8;
const maxRefused = 2 * loopsPerNode;

/** Uses the first two servers, and ends the second. */
export function testLeaseHolders(cluster: () => Cluster): void {
  // Not retried, because the second server is gone then.
  test("a server that holds leased units is stopped, continued and killed: the quota is never exceeded", {
    timeout: 60_000,
    retry: 0,
  }, async () => {
    const [first, second] = cluster().nodes as [Node, Node];
    const policy = { rate_limit_policy: { quota: String(quota), window: `${windowSeconds}s` } };
    const key = issuedKeyOf(await first.http.send("POST", issuedPath, policy));
    for (const { http } of [first, second]) await untilCached(http, key);
    const scriptsBefore = await scriptCalls(cluster());
    const lossesBefore = lossesOf([first, second]);
    const begunMs = performance.now();

    const counts = [createCount(), createCount()] as const;
    const loads = [hammer(first, key, counts[0]), hammer(second, key, counts[1])];
    await untilMore(counts[1], 100);
    process.kill(second.server.pid, "SIGSTOP");
    await untilMore(counts[0], 100);
    process.kill(second.server.pid, "SIGCONT");
    await untilMore(counts[1], 10);
    await second.server.kill();
    await Promise.all(loads);

    const [admitted, lost] = [counts[0].admitted + counts[1].admitted, counts[0].lost + counts[1].lost];
    const refill = ((performance.now() - begunMs) / 1000) * (quota / windowSeconds);
    const scripts = (await scriptCalls(cluster())) - scriptsBefore;
    console.info(`${admitted} of ${quota} units admitted, ${lost} calls lost; ${scripts} scripts for ${admitted / cost} takes`);
    for (const each of counts) expect(each.admitted).toBeLessThanOrEqual(quota + Math.ceil(refill));
    // A server that loses Redis, because it was stopped while it waited or the machine is busy, continues on its own.
    if (lossesOf([first, second]) === lossesBefore) expect(admitted).toBeLessThanOrEqual(quota + Math.ceil(refill));
    else console.info("(Redis lost)");
  });
}

interface Count {
  admitted: number;
  refused: number;
  /** Calls without an answer. */
  lost: number;
}

function createCount(): Count {
  return { admitted: 0, refused: 0, lost: 0 };
}

/** Waits for this number of further answers. */
async function untilMore(count: Count, more: number): Promise<void> {
  const answers = () => count.admitted / cost + count.refused;
  const before = answers();
  await until(() => answers() >= before + more, `${more} more answers`);
}

/** Verifies until the limit has refused several times, or until the server is gone. */
async function hammer({ http }: Node, { secret }: IssuedKey, count: Count): Promise<void> {
  const loop = async () => {
    while (count.refused < maxRefused && count.lost < loopsPerNode) {
      const answer = await http.send("POST", verifyPath, { credential: secret, cost }).catch(() => null);
      if (answer === null) {
        count.lost += 1;
        return;
      }
      const verdict = verdictOf(answer);
      if (verdict === "VALID") count.admitted += cost;
      else {
        expect(verdict).toBe("RATE_LIMITED");
        count.refused += 1;
        if (count.refused < maxRefused) await sleep(answer.retryAfterMs);
      }
    }
  };
  await Promise.all(Array.from({ length: loopsPerNode }, loop));
}

async function scriptCalls({ redis }: Cluster): Promise<number> {
  const stats = await withRedis(redis.port, (client) => client.info("commandstats"));
  return [...stats.matchAll(/^cmdstat_eval(?:sha)?:calls=(\d+)/gm)].reduce((sum, [, calls]) => sum + Number(calls), 0);
}
