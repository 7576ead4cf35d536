import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { until } from "../support/cache-listener.ts";
import type { Cluster, Node } from "./cluster.ts";
import { type IssuedKey, issuedKeyOf, issuedPath, issueKey, keyRequests, untilCached, verdictOf } from "./keys.ts";

/** The guarantee was measured with `KEYWRIGHT_TEST_RATE_LIMIT_RUNS=20`, which also uses a larger quota. */
const givenRuns = process.env.KEYWRIGHT_TEST_RATE_LIMIT_RUNS;
const runs = Number(givenRuns ?? 1);
const hammeredQuota = givenRuns === undefined ? 300 : 1000;
const windowSeconds = 3600;
const loopsPerNode = 16;

/** The third server must have `KEYWRIGHT_RATE_LIMIT_OUTAGE=closed`. */
export function testRateLimits(cluster: () => Cluster): void {
  test(
    `of ten times the quota at three servers at once, exactly the quota and its refill are admitted (${runs} runs)`,
    async () => {
      const quota = hammeredQuota;
      const { nodes } = cluster();
      const free = await issueKey((nodes[0] as Node).http);
      for (const { http } of nodes) await untilCached(http, free);
      await Promise.all(nodes.map((node) => hammer(node, free, 2 * quota)));
      for (let counted = 0, disturbed = 0; counted < runs; ) {
        const key = await issueLimited(quota);
        await until(() => nodes.every(isConnected), "all servers have Redis");
        const lossesBefore = lossesOf(nodes);
        const all = await Promise.all(nodes.map((node) => hammer(node, key, (10 * quota) / 3)));
        const admitted = sum(all.map((one) => one.admitted));
        const spanMs = Math.max(...all.map((one) => one.endMs)) - Math.min(...all.map((one) => one.startMs));
        // The refill counts from the first take to the last; each happened at some moment between its request and its response.
        const leastMs = Math.max(0, spanMs - 2 * Math.max(...all.map((one) => one.slowestMs)));
        const owedFor = (ms: number) => Math.floor((ms / 1000) * (quota / windowSeconds));
        // Until what they wrote has come through the pipe.
        await sleep(100);
        const isDisturbed = lossesOf(nodes) > lossesBefore;
        console.info(
          `${admitted} of ${sum(all.map((one) => one.asked))} admitted in ${Math.round(spanMs)} ms`,
          isDisturbed ? "(Redis lost)" : "",
        );
        for (const one of all) expect(one.admitted).toBeLessThanOrEqual(quota + owedFor(spanMs));
        if (isDisturbed) {
          // Redis did not answer one of them in time: an outage, which the next test covers. On a machine this busy the run shows nothing.
          disturbed += 1;
          expect(disturbed).toBeLessThanOrEqual(10 + runs);
          continue;
        }
        counted += 1;
        expect(admitted).toBeGreaterThanOrEqual(quota + owedFor(leastMs));
        expect(admitted).toBeLessThanOrEqual(quota + owedFor(spanMs));
      }
    },
    60_000 + runs * 10_000,
  );

  test("while Redis is killed and restarts empty, no server admits more than the quota on its own, and `closed` admits none", async () => {
    const quota = 200;
    const { nodes, redis } = cluster();
    const key = await issueLimited(quota);
    for (const { http } of nodes) await untilCached(http, key);
    await until(() => nodes.every(isConnected), "all servers have Redis");
    const begunMs = performance.now();
    const before = await Promise.all(nodes.map((node) => hammer(node, key, 50)));
    await redis.kill("SIGKILL");
    const meanwhile = await hammerWithoutRedis(key).finally(() => redis.restart());
    await until(() => nodes.every(isConnected), "all servers have Redis again");
    const after = await Promise.all(nodes.map((node) => hammer(node, key, 300)));

    const most = quota + Math.ceil(((performance.now() - begunMs) / 1000) * (quota / windowSeconds));
    for (const [index] of nodes.entries()) {
      const admitted = sum([before, meanwhile, after].map((phase) => phase[index]?.admitted ?? 0));
      expect(admitted).toBeLessThanOrEqual(most);
    }
    console.info([before, meanwhile, after].map((phase) => phase.map(({ admitted }) => admitted)));
    expect(sum(before.map(({ admitted }) => admitted))).toBeGreaterThanOrEqual(100);
    expect(meanwhile.map(({ admitted }) => admitted > 0)).toEqual([true, true, false]);
    // What the servers spent on their own is known again; otherwise the third one would still have its whole quota.
    expect(sum(after.map(({ admitted }) => admitted))).toBeLessThanOrEqual(quota / 2);
  });

  async function hammerWithoutRedis(key: IssuedKey): Promise<Hammering[]> {
    const { nodes } = cluster();
    // A busy server may have lost Redis before it was killed.
    await until(() => !nodes.some(isConnected), "all servers noticed");
    return Promise.all(nodes.map((node) => hammer(node, key, 300)));
  }

  async function issueLimited(quota: number): Promise<IssuedKey> {
    const policy = { rate_limit_policy: { quota: String(quota), window: `${windowSeconds}s` } };
    return issuedKeyOf(await (cluster().nodes[0] as Node).http.send("POST", issuedPath, policy));
  }
}

interface Hammering {
  asked: number;
  admitted: number;
  startMs: number;
  endMs: number;
  slowestMs: number;
}

/** Sends this many verifications, several at a time. Each must be admitted, or refused by the limit. */
async function hammer({ http }: Node, key: IssuedKey, count: number): Promise<Hammering> {
  const done: Hammering = { asked: 0, admitted: 0, startMs: performance.now(), endMs: 0, slowestMs: 0 };
  const loop = async () => {
    while (done.asked < count) {
      done.asked += 1;
      const askedMs = performance.now();
      const verdict = verdictOf(await keyRequests.verify(http, key));
      done.slowestMs = Math.max(done.slowestMs, performance.now() - askedMs);
      if (verdict === "VALID") done.admitted += 1;
      else expect(verdict).toBe("RATE_LIMITED");
    }
  };
  await Promise.all(Array.from({ length: loopsPerNode }, loop));
  done.endMs = performance.now();
  return done;
}

/** Returns how often the servers lost Redis. */
export function lossesOf(nodes: readonly Node[]): number {
  return sum(nodes.map((node) => countOf(node, "lost the Redis cache")));
}

function isConnected(node: Node): boolean {
  return countOf(node, "the Redis cache is connected") > countOf(node, "lost the Redis cache");
}

function countOf({ server }: Node, text: string): number {
  return server.output().split(text).length - 1;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
