import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Api, apiOf, delay } from "../support/api.ts";
import { startServer } from "../support/server-process.ts";

const rounds = 4;
const batchSize = 400;
const patienceMs = 20_000;

let dataDir = "";
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "keywright-test-"));
});
afterAll(() => rm(dataDir, { recursive: true, force: true }));

interface Batch {
  readonly requests: JsonObject[];
  /** The batch's id, if its items have none. */
  readonly request_id?: string;
}

/** One batch with a request id per item, one with its own request id. */
function batchesOf(round: number): Batch[] {
  const item = (rawKey: string): JsonObject => ({
    raw_key: rawKey,
    name: `name of ${rawKey}`,
    actor_id: `round ${round}`,
    scopes: ["read"],
    metadata: { of: rawKey },
  });
  const rawKeys = Array.from({ length: batchSize }, (_, index) => `sk_${round}_${index}`);
  const marked = rawKeys.map((rawKey) => ({ ...item(`${rawKey}_marked`), request_id: `${rawKey}_marked` }));
  return [{ requests: marked }, { requests: rawKeys.map(item), request_id: `batch ${round}` }];
}

const importBatch = async (api: Api, batch: Batch): Promise<number> => {
  const { success_count } = await api.call("AdminBatchImportApiKeys", { ...batch });
  return Number(success_count);
};

/** For a while, MongoDB keeps a transaction that the kill left open, and with it blocks other transactions on its keys. */
async function retry(api: Api, batch: Batch): Promise<number> {
  for (const begunMs = performance.now(); ; ) {
    try {
      return await importBatch(api, batch);
    } catch (error) {
      if (!String(error).includes("STORE_UNAVAILABLE") || performance.now() - begunMs > patienceMs) throw error;
    }
  }
}

async function importedKeys(api: Api): Promise<JsonObject[]> {
  const keys: JsonObject[] = [];
  for (let page_token = ""; ; ) {
    const page = await api.call("AdminListImportedApiKeys", { page_size: 1000, page_token });
    keys.push(...((page.imported_api_keys ?? []) as JsonObject[]));
    page_token = String(page.next_page_token ?? "");
    if (page_token === "") return keys;
  }
}

test(`${rounds} SIGKILLs in the middle of batch imports leave only complete keys, and a retry completes the batches`, async () => {
  const partly: number[] = [];
  let batches: Batch[] = [];
  let acknowledged: Batch[] = [];
  let longestMs = 0;

  for (let round = 0; round <= rounds; round += 1) {
    await using api = await apiOf(await startServer({ dataDir }), "grpc");
    const found = await importedKeys(api);
    for (const key of found) {
      const { of } = key.metadata as { of: string };
      expect(key).toMatchObject({ name: `name of ${of}`, scopes: ["read"], status: "KEY_STATUS_ACTIVE" });
    }
    const names = new Set(found.map(({ name }) => name));
    for (const batch of batches) {
      const there = batch.requests.filter(({ name }) => names.has(String(name))).length;
      if (acknowledged.includes(batch)) expect(there).toBe(batchSize);
      else partly.push(there / batchSize);
      // Existing keys count as imported by the same request; the others are imported now.
      expect(await retry(api, batch)).toBe(batchSize);
    }
    expect((await importedKeys(api)).length).toBe(round * 2 * batchSize);
    if (round === rounds) break;

    batches = batchesOf(round);
    acknowledged = [];
    const begunMs = performance.now();
    const sent = Promise.allSettled(
      batches.map(async (batch) => {
        await importBatch(api, batch);
        acknowledged.push(batch);
        longestMs = Math.max(longestMs, performance.now() - begunMs);
      }),
    );
    // The first round shows how long a batch takes.
    await (round === 0 ? sent : delay((longestMs * round) / (rounds + 1)));
    if (round === 0) expect(acknowledged).toHaveLength(2);
    await api.server.kill();
    await sent;
  }
  expect(partly.length).toBeGreaterThan(0);
  console.info(
    `batches in progress, by their share of keys after the kill: ${partly.map((part) => `${Math.round(part * 100)} %`).join(", ")}`,
  );
});
