import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { openSqliteKeyStore } from "../../../src/adapters/sqlite/key-store.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { type StoreWithEvents, withEvents } from "../../support/with-events.ts";

const script = fileURLToPath(new URL("../../support/store-process.ts", import.meta.url));

/** Reads all complete lines of `<key id> <revision>`. Returns the highest acknowledged revision of each key. */
function acknowledged(output: string): Map<string, number> {
  const revisions = new Map<string, number>();
  for (const line of output.split("\n").slice(0, -1)) {
    const [keyId = "", revision] = line.split(" ");
    revisions.set(keyId, Number(revision));
  }
  revisions.delete("refused");
  return revisions;
}

/** Returns what of `wanted` is missing in the store, and which rotations are incomplete. */
async function losses(store: StoreWithEvents, wanted: Map<string, number>): Promise<string[]> {
  const lost: string[] = [];
  for (const [keyId, revision] of wanted) {
    const record = await store.get("t", keyId);
    if (record === null || record.revision < revision) lost.push(`${keyId}: ${revision} acknowledged, ${record?.revision} found`);
  }
  for (const record of await store.list("t", { kind: "issued", nowMs: 0, limit: 100_000 })) {
    if (record.keyId.endsWith("-successor")) continue;
    const successor = await store.get("t", `${record.keyId}-successor`);
    if ((record.revocation !== null) !== (successor !== null)) lost.push(`${record.keyId}: half a rotation`);
    const request = { requestId: record.keyId.slice(-36), payloadDigest: "" };
    const replay = await store.insert("t", record, request);
    if (replay.outcome !== "request_id_used") lost.push(`${record.keyId}: its request id`);
  }
  return lost;
}

test("after 20 SIGKILLs at random moments everything acknowledged exists, and nothing exists in part", async () => {
  using folder = temporaryFolder();
  let total = 0;
  for (let round = 0; round < 20; round += 1) {
    // Uses each file four times, so that a process also starts on what a killed one left.
    const path = join(folder.path, `keys-${Math.floor(round / 4)}.db`);
    const child = spawn(process.execPath, [script, path, `r${round}`], { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    const closed = once(child, "close");
    await Promise.race([once(child.stdout, "data"), closed]);
    // The random moment.
    await sleep(Math.random() * 60);
    child.kill("SIGKILL");
    await closed;
    expect(child.signalCode).toBe("SIGKILL");

    const wanted = acknowledged(output);
    total += wanted.size;
    const store = withEvents(await openSqliteKeyStore({ path, clock: Date.now }));
    expect(await losses(store, wanted), `round ${round}`).toEqual([]);
    await store.close();
  }
  expect(total).toBeGreaterThan(100);
});

test.skipIf(process.platform === "win32")(
  "on a full disk writes reject with STORE_UNAVAILABLE, and everything acknowledged before exists",
  async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "keys.db");
    // A limit on file size (in blocks of 512 or 1024 bytes) simulates the full disk.
    const child = spawn("sh", ["-c", 'ulimit -f 1800 && exec "$0" "$@"', process.execPath, script, path, "full"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    const [exitCode] = (await once(child, "close")) as [number];
    expect(output).toContain("refused STORE_UNAVAILABLE\n");
    expect(exitCode).toBe(3);

    const wanted = acknowledged(output);
    expect(wanted.size).toBeGreaterThan(20);
    const store = withEvents(await openSqliteKeyStore({ path, clock: Date.now }));
    expect(await losses(store, wanted)).toEqual([]);
    await store.close();
  },
);
