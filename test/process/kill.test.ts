import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ServerProcess, startServer } from "../support/server-process.ts";
import { grpcClient, jsonHttpClient, type KeyClient } from "./key-client.ts";

/** SIGKILLs per run; at least 20, so that each operation is sometimes the last one. The full count of 100 takes minutes. */
const rounds = Number(process.env.KEYWRIGHT_TEST_KILLS ?? 20);
/** Concurrent callers, half of them over each protocol. Each waits for an answer before it sends again. */
const callerCount = 4;
const maxMs = 30_000 + rounds * 10_000;

/** What the server has acknowledged about a key, by its secret. "unknown": a change was in progress when the server was killed. */
type Expected = "VALID" | "REVOKED" | "unknown";

let dataDir = "";
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "keywright-kill-"));
});
afterAll(() => rm(dataDir, { recursive: true, force: true }));

test(`${rounds} SIGKILLs right after an acknowledged operation lose none`, { timeout: maxMs }, async () => {
  const expected = new Map<string, Expected>();
  const lastAcknowledged: string[] = [];
  const startMs: number[] = [];

  for (let round = 0; round < rounds; round += 1) {
    const begunMs = performance.now();
    await using server = await startServer({ dataDir });
    startMs.push(performance.now() - begunMs);
    const clients = [jsonHttpClient(server), grpcClient(server)];
    const before = new Set(expected.keys());
    await expectAll(clients, before, expected);

    lastAcknowledged.push(await changeUntilKilled(server, clients, round, expected));
    await server.kill();
    for (const client of clients) client.close();
  }

  expect(new Set(lastAcknowledged)).toEqual(new Set(["issue", "rotate", "revoke", "selfRevoke"]));
  await using server = await startServer({ dataDir });
  const clients = [jsonHttpClient(server), grpcClient(server)];
  await expectAll(clients, new Set(expected.keys()), expected, "every key of the run");
  for (const client of clients) client.close();
  const counts = Object.groupBy(expected.values(), (value) => value);
  expect(counts.VALID?.length).toBeGreaterThan(rounds / 2);
  expect(counts.REVOKED?.length).toBeGreaterThan(rounds / 2);
  startMs.sort((a, b) => a - b);
  console.info(
    `${rounds} kills; keys: ${counts.VALID?.length} valid, ${counts.REVOKED?.length} revoked, ${counts.unknown?.length ?? 0} in doubt;`,
    `start to listening: median ${startMs[rounds >> 1]?.toFixed(0)} ms, slowest ${startMs.at(-1)?.toFixed(0)} ms`,
  );
});

/** Kills as soon as one operation, a different one in each round, is acknowledged, while the other callers' operations are in progress. */
async function changeUntilKilled(
  server: ServerProcess,
  clients: readonly KeyClient[],
  round: number,
  expected: Map<string, Expected>,
): Promise<string> {
  let acknowledgements = 0;
  let isKilled = false;
  let last = "";
  // Runs one operation. Between the answer and the kill only this function's own code runs.
  const operation = async <T>(name: string, run: () => Promise<T>): Promise<T> => {
    const answer = await run();
    if (isKilled) return answer;
    acknowledgements += 1;
    last = name;
    // Four callers in step have finished all five operations after 20.
    if (acknowledgements > (round * 7) % 24) {
      isKilled = true;
      process.kill(server.pid, "SIGKILL");
    }
    return answer;
  };
  const change = async (secret: string, run: () => Promise<unknown>) => {
    expected.set(secret, "unknown");
    await run();
    expected.set(secret, "REVOKED");
  };

  const caller = async (client: KeyClient) => {
    while (!isKilled) {
      let key = await operation("issue", () => client.issue());
      expected.set(key.secret, "VALID");
      if (isKilled) return;
      const old = key.secret;
      await change(old, async () => {
        key = await operation("rotate", () => client.rotate(key.keyId));
      });
      expected.set(key.secret, "VALID");
      if (isKilled) return;
      await change(key.secret, () => operation("revoke", () => client.revoke(key.keyId)));
      if (isKilled) return;
      const other = await operation("issue", () => client.issue());
      expected.set(other.secret, "VALID");
      if (isKilled) return;
      await change(other.secret, () => operation("selfRevoke", () => client.selfRevoke(other.secret)));
    }
  };
  const callers = Array.from({ length: callerCount }, (_, index) => caller(clients[index % clients.length] as KeyClient));
  for (const outcome of await Promise.allSettled(callers)) {
    if (outcome.status === "rejected" && !isKilled) throw outcome.reason;
  }
  return last;
}

/** Each round checks only the newest of the older keys, so that rounds do not grow. The last check covers all of them. */
async function expectAll(
  clients: readonly KeyClient[],
  secrets: ReadonlySet<string>,
  expected: ReadonlyMap<string, Expected>,
  extent: "the newest" | "every key of the run" = "the newest",
): Promise<void> {
  const chosen = extent === "the newest" ? [...secrets].slice(-24) : [...secrets];
  const workers = Array.from({ length: 16 }, async (_, worker) => {
    for (let index = worker; index < chosen.length; index += 16) {
      const secret = chosen[index] as string;
      const client = clients[index % clients.length] as KeyClient;
      const found = await client.verify(secret);
      const wanted = expected.get(secret);
      const fits = wanted === "unknown" ? found === "VALID" || found === "REVOKED" : found === wanted;
      if (!fits) throw new Error(`${client.protocol}: key ${secret.split("_")[2]} is ${found}, but ${wanted} was acknowledged`);
    }
  });
  await Promise.all(workers);
}
