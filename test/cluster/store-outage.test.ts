import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import type { MongoMember } from "../support/mongo-server.ts";
import type { Node } from "./cluster.ts";
import { describeOnCluster } from "./describe-on-cluster.ts";
import type { HttpClient } from "./http-client.ts";
import { type IssuedKey, issueKey, keyRequests, untilCached, verdictOf } from "./keys.ts";

const options = {
  nodeCount: 2,
  mongoMembers: 1,
  nodeEnv: [{ KEYWRIGHT_STORE_OUTAGE: "serve" }, { KEYWRIGHT_STORE_OUTAGE: "refuse" }],
} as const;

await describeOnCluster("the whole store is gone", options, (cluster) => {
  test.each([
    ["killed", "SIGKILL"],
    ["hung", "SIGSTOP"],
  ] as const)("mongod %s", async (how, signal) => {
    const { nodes, mongo } = cluster();
    const [serve, refuse] = nodes.map(({ http }) => http) as [HttpClient, HttpClient];
    const mongod = mongo.members[0] as MongoMember;
    const [cached, unknown] = [await issueKey((nodes[0] as Node).http), await issueKey((nodes[0] as Node).http)];
    for (const http of [serve, refuse]) await untilCached(http, cached);
    // The outage begins while the servers are idle.
    await sleep(500);

    const lostMs = performance.now();
    await mongod.kill(signal);
    const lastAcceptedMs = await watchUntilRefused(refuse, cached, lostMs);
    const servedMs = performance.now();
    const [servedCached, servedUnknown, refused] = await Promise.all([
      keyRequests.verify(serve, cached).then((answer) => ({ ...answer, tookMs: performance.now() - servedMs })),
      keyRequests.verify(serve, unknown).then((answer) => ({ ...answer, tookMs: performance.now() - servedMs })),
      keyRequests.verify(refuse, cached).then((answer) => ({ ...answer, tookMs: performance.now() - servedMs })),
    ]);
    expect(lastAcceptedMs).toBeLessThan(2000);
    expect(verdictOf(servedCached)).toBe("VALID");
    expect(servedCached.cacheStatus).toBe("keywright; hit");
    expect(verdictOf(servedUnknown)).toBe("503");
    expect(verdictOf(refused)).toBe("503");
    // Without another two seconds of waiting, because the outage is already known.
    for (const { tookMs } of [refused, servedUnknown]) expect(tookMs).toBeLessThan(1000);

    const backMs = performance.now();
    if (signal === "SIGKILL") await mongod.restart();
    else await mongod.kill("SIGCONT");
    for (const http of [serve, refuse]) await untilCached(http, cached);
    for (const http of [serve, refuse]) await untilCached(http, unknown);
    console.info(
      `mongod ${how}: "refuse" accepted until ${lastAcceptedMs.toFixed(0)} ms after; then 503 after ${refused.tookMs.toFixed(0)} ms, "serve" hit`,
      `after ${servedCached.tookMs.toFixed(0)} ms, 503 for an unknown key after ${servedUnknown.tookMs.toFixed(0)} ms;`,
      `all well ${(performance.now() - backMs).toFixed(0)} ms after it came back`,
    );
  });
});

/**
 * Verifies a key until the answer has been 503 for a second. Returns the start of the last accepted verification, in ms after the moment.
 */
async function watchUntilRefused(http: HttpClient, key: IssuedKey, momentMs: number): Promise<number> {
  let lastAcceptedMs = 0;
  let refusedSinceMs: number | null = null;
  for (;;) {
    const startedMs = performance.now();
    const verdict = verdictOf(await keyRequests.verify(http, key));
    if (verdict === "VALID") {
      lastAcceptedMs = startedMs - momentMs;
      refusedSinceMs = null;
    } else {
      expect(verdict).toBe("503");
      refusedSinceMs ??= performance.now();
      if (performance.now() - refusedSinceMs > 1000) return lastAcceptedMs;
    }
    if (startedMs - momentMs > 10_000) throw new Error("still accepted");
    await sleep(5);
  }
}
