import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Cluster, Node } from "./cluster.ts";
import { type IssuedKey, issueKey, keyRequests, untilCached, verdictOf } from "./keys.ts";

const visibleWithinMs = 5000;

/** The last test ends a server. */
export function testLastUse(cluster: () => Cluster): void {
  const node = (index: number) => cluster().nodes[index] as Node;

  test("is visible within 5 s, including uses from a cache, and the newest wins", async () => {
    const key = await issueKey(node(0).http);
    for (const { http } of cluster().nodes) await untilCached(http, key);
    await untilFlushed(cluster().nodes);

    const usedMs = Date.now();
    await untilCached(node(1).http, key);
    await untilUsedAt(key, node(2), usedMs);
    console.info(`a use showed ${Date.now() - usedMs} ms later`);
  });

  test("an older use that is written later does not overwrite a newer one", async () => {
    const key = await issueKey(node(0).http);
    for (const { http } of cluster().nodes) await untilCached(http, key);
    await untilFlushed(cluster().nodes);
    await use(node(0), key);
    // Its buffered use is held back while another server writes a newer one.
    node(0).setMongo("cut");
    // Longer than uses are buffered: it has tried to write. Nothing shows an attempt.
    await sleep(1500);
    const newerMs = Date.now();
    await use(node(1), key);
    const seenMs = await untilUsedAt(key, node(2), newerMs);
    node(0).setMongo("pass");
    await expect.poll(async () => (await keyRequests.get(node(0).http, key)).status, { timeout: 20_000 }).toBe(200);
    await untilFlushed([node(0)]);
    expect(await lastUseMs(key, node(2))).toBe(seenMs);
  });

  test("is written before a server ends on SIGTERM", async () => {
    const key = await issueKey(node(0).http);
    const usedMs = Date.now();
    await use(node(2), key);
    expect(await node(2).server.stop()).toBe(0);
    expect(await lastUseMs(key, node(0))).toBeGreaterThanOrEqual(usedMs);
  });
}

async function use({ http }: Node, key: IssuedKey): Promise<void> {
  expect(verdictOf(await keyRequests.verify(http, key))).toBe("VALID");
}

/** Waits until each of the servers has written what was used before: a use of another key that came later is visible. */
async function untilFlushed(nodes: readonly Node[]): Promise<void> {
  for (const node of nodes) {
    const later = await issueKey(node.http);
    const usedMs = Date.now();
    await use(node, later);
    await untilUsedAt(later, node, usedMs);
  }
}

async function untilUsedAt(key: IssuedKey, node: Node, sinceMs: number): Promise<number> {
  const deadlineMs = Date.now() + visibleWithinMs;
  for (;;) {
    const usedMs = await lastUseMs(key, node);
    if (usedMs >= sinceMs) return usedMs;
    if (Date.now() > deadlineMs) throw new Error(`the use does not show; last use ${usedMs - sinceMs} ms after`);
    await sleep(50);
  }
}

/** Returns 0 if the key was never used. */
async function lastUseMs(key: IssuedKey, { http }: Node): Promise<number> {
  const { last_used_time } = (await keyRequests.get(http, key)).body as { last_used_time?: string };
  return last_used_time === undefined ? 0 : Date.parse(last_used_time);
}
