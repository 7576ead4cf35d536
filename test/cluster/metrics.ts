import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { type Scrape, scrape } from "../support/metrics.ts";
import type { Cluster, Node } from "./cluster.ts";
import { issueKey, keyRequests, untilCached } from "./keys.ts";

const limitMs = 10_000;

/** Needs a metrics port. */
export function testMetrics(cluster: () => Cluster): void {
  const node = (index: number) => cluster().nodes[index] as Node;

  test("show Redis, its messages and the generation; the other server receives a change", async () => {
    for (const each of cluster().nodes) await until(each, ({ value }) => value("keywright_redis_connected") === 1);
    const key = await issueKey(node(0).http);
    for (const { http } of cluster().nodes) await untilCached(http, key);
    const before = await scrape(node(1).server);
    expect(before.value("keywright_redis_connected")).toBe(1);
    expect(before.value('keywright_cache_trust{mode="leased"}')).toBe(1);
    expect(before.value("keywright_cache_generation")).toBeGreaterThan(0);
    expect(before.value('keywright_redis_operation_duration_seconds_count{operation="read"}')).toBeGreaterThan(0);
    expect(before.value('keywright_store_operation_duration_seconds_count{operation="read_generation"}')).toBeGreaterThan(0);
    expect(before.value("keywright_cache_invalidation_delay_seconds_count")).toBeGreaterThan(0);
    // In seconds: a heartbeat that takes longer than a lease of 1 s is not measured.
    expect(
      (before.value("keywright_cache_invalidation_delay_seconds_sum") as number) /
        (before.value("keywright_cache_invalidation_delay_seconds_count") as number),
    ).toBeLessThan(1);

    expect((await keyRequests.revoke(node(0).http, key)).status).toBe(204);
    const heard = ({ value }: Scrape) => value("keywright_cache_changes_heard_total") ?? 0;
    await until(node(1), (now) => heard(now) > heard(before));
  });

  test("show when a server loses Redis and when it is back", async () => {
    node(1).setRedis("cut");
    const cut = await until(node(1), ({ value }) => value("keywright_redis_connected") === 0);
    expect(cut.value("keywright_cache_gaps_total")).toBeGreaterThan(0);
    node(1).setRedis("pass");
    await until(node(1), ({ value }) => value("keywright_redis_connected") === 1);
  });
}

async function until({ server }: Node, isSo: (now: Scrape) => boolean): Promise<Scrape> {
  const deadlineMs = Date.now() + limitMs;
  for (;;) {
    const now = await scrape(server);
    if (isSo(now)) return now;
    if (Date.now() > deadlineMs) throw new Error(now.text);
    await sleep(50);
  }
}
