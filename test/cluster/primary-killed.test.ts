import { setTimeout as sleep } from "node:timers/promises";
import { MongoClient } from "mongodb";
import { expect, test } from "vitest";
import type { MongoMember, MongoServer } from "../support/mongo-server.ts";
import type { Node } from "./cluster.ts";
import { describeOnCluster } from "./describe-on-cluster.ts";
import { type IssuedKey, issuedKeyOf, issueKey, keyRequests, verdictOf } from "./keys.ts";

const kills = 2;
const writersPerNode = 3;
/** A set that elects no primary for this long is broken, even on a busy machine. */
const maxWithoutWritesMs = 60_000;
/** Longer than a lease: a process that was paused for this long can prove nothing when it continues. */
const stallMs = 1200;

await describeOnCluster("the primary mongod is killed under load, while a process is paused", { nodeCount: 2 }, (cluster) => {
  test("no acknowledged issue, rotation or revocation is lost, and cached keys verify all the time", { timeout: 300_000 }, async () => {
    const { nodes, mongo } = cluster();
    const cached = await Promise.all(Array.from({ length: 5 }, () => issueKey((nodes[0] as Node).http)));
    /** What a verification must find, by secret. Undefined if a change did not succeed, so that either is correct. */
    const expected = new Map<string, "VALID" | "REVOKED" | undefined>();
    const acknowledgedMs: number[] = [];
    const verdicts = new Map<string, number>();
    let slowestVerifyMs = 0;
    let running = true;

    const verifyCached = async ({ http }: Node) => {
      for (let turn = 0; running; turn += 1) {
        const startedMs = performance.now();
        const verdict = verdictOf(await keyRequests.verify(http, cached[turn % cached.length] as IssuedKey));
        verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
        slowestVerifyMs = Math.max(slowestVerifyMs, performance.now() - startedMs);
        // Leaves processor time to the writers.
        await sleep(5);
      }
    };
    const write = async ({ http }: Node) => {
      while (running) {
        const issued = await keyRequests.issue(http);
        if (issued.status !== 201) continue;
        acknowledgedMs.push(performance.now());
        let key = issuedKeyOf(issued);
        expected.set(key.secret, undefined);
        const rotated = await keyRequests.rotate(http, key);
        if (rotated.status !== 201) continue;
        acknowledgedMs.push(performance.now());
        expected.set(key.secret, "REVOKED");
        key = issuedKeyOf(rotated);
        // Every other key stays valid.
        expected.set(key.secret, "VALID");
        if (expected.size % 4 < 2) continue;
        expected.set(key.secret, undefined);
        if ((await keyRequests.revoke(http, key)).status !== 204) continue;
        acknowledgedMs.push(performance.now());
        expected.set(key.secret, "REVOKED");
      }
    };
    await Promise.all(nodes.map(({ http }) => Promise.all(cached.map((key) => keyRequests.verify(http, key)))));
    const work = [...nodes.map(verifyCached), ...nodes.flatMap((node) => Array.from({ length: writersPerNode }, () => write(node)))];

    const windowsMs: number[] = [];
    for (let kill = 0; kill < kills; kill += 1) {
      // Load before each failure, and after it.
      await sleep(1500);
      const primary = await primaryOf(mongo);
      const killedMs = performance.now();
      // A busy machine sometimes pauses a process; here it always happens.
      const { pid } = (nodes[kill % nodes.length] as Node).server;
      process.kill(pid, "SIGSTOP");
      await primary.kill("SIGKILL");
      // How long the process is paused.
      await sleep(stallMs);
      process.kill(pid, "SIGCONT");
      await until(() => (acknowledgedMs.at(-1) ?? 0) > killedMs + 300 && gapSince(acknowledgedMs, killedMs) !== null);
      windowsMs.push(gapSince(acknowledgedMs, killedMs) ?? Number.NaN);
      await primary.restart();
      await sleep(1500);
    }
    running = false;
    await Promise.all(work);

    const found = new Map<string, string>();
    const secrets = [...expected.keys()];
    for (let start = 0; start < secrets.length; start += 20) {
      const group = secrets.slice(start, start + 20);
      const http = (nodes[(start / 20) % nodes.length] as Node).http;
      const answers = await Promise.all(group.map((secret) => keyRequests.verify(http, { keyId: "", secret }, "no-cache")));
      for (const [index, answer] of answers.entries()) found.set(group[index] as string, verdictOf(answer));
    }
    console.info(
      `${kills} primaries killed: no write acknowledged for ${windowsMs.map((ms) => ms.toFixed(0)).join(" and ")} ms;`,
      `${acknowledgedMs.length} writes acknowledged, ${[...expected.values()].filter((value) => value === undefined).length} keys in doubt;`,
      `${JSON.stringify(Object.fromEntries(verdicts))} cached verifications, slowest ${slowestVerifyMs.toFixed(0)} ms`,
    );
    const wrong = secrets.filter((secret) => expected.get(secret) !== undefined && found.get(secret) !== expected.get(secret));
    expect(wrong.map((secret) => `${secret.split("_")[2]}: ${found.get(secret)}, not ${expected.get(secret)}`)).toEqual([]);
    expect([...verdicts.keys()]).toEqual(["VALID"]);
  });
});

/** Returns the longest time between two acknowledgements around and after a moment, or null while none has come after it. */
function gapSince(acknowledgedMs: readonly number[], momentMs: number): number | null {
  const sorted = acknowledgedMs.toSorted((a, b) => a - b);
  const first = sorted.findIndex((ms) => ms > momentMs);
  if (first < 1) return null;
  return Math.max(...sorted.slice(first).map((ms, index) => ms - (sorted[first + index - 1] as number)));
}

async function primaryOf({ uri, members }: MongoServer): Promise<MongoMember> {
  await using client = new MongoClient(uri);
  const { me } = await client.db("admin").command({ hello: 1 });
  const primary = members.find(({ port }) => String(me).endsWith(`:${port}`));
  if (primary === undefined) throw new Error(`${me} is not a member of the set`);
  return primary;
}

async function until(isSo: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + maxWithoutWritesMs;
  while (!isSo()) {
    if (performance.now() > deadlineMs) throw new Error("no further write was acknowledged");
    await sleep(20);
  }
}
