import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Api, apiOf } from "../support/api.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";

const rounds = 6;
const callerCount = 4;
let dataDir = "";
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "keywright-audit-"));
});
afterAll(() => rm(dataDir, { recursive: true, force: true }));

test("SIGKILL right after a response loses no event, and leaves no event without its change", async () => {
  const acknowledged: string[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await using api = await apiOf(await startServer({ dataDir }), "grpc");
    acknowledged.push(...(await changeUntilKilled(api, round)));
    await api.server.kill();
  }
  await using api = await apiOf(await startServer({ dataDir }), "grpc");
  const events = await allEvents(api);
  const found = new Set(events.flatMap(({ method, key_ids }) => (key_ids as string[]).map((keyId) => `${method} ${keyId}`)));
  expect(acknowledged.filter((change) => !found.has(change))).toEqual([]);
  expect(acknowledged.length).toBeGreaterThan(rounds * 3);

  const faults = await Promise.all(Array.from(found, (change) => change.split(" ")).map(([method, keyId]) => faultOf(api, method, keyId)));
  expect(faults.filter(Boolean)).toEqual([]);
});

/**
 * Kills the server as soon as some changes are acknowledged, while others are in progress. Returns method and key id of the acknowledged
 * ones.
 */
async function changeUntilKilled(api: Api<ServerProcess>, round: number): Promise<string[]> {
  const acknowledged: string[] = [];
  let isKilled = false;
  const change = async (method: string, request: JsonObject, keyIdsOf: (response: JsonObject) => unknown[], token?: null) => {
    const response = await api.call(method, request, token === null ? { token } : {});
    if (isKilled) throw new Error("killed");
    acknowledged.push(...keyIdsOf(response).map((keyId) => `${method} ${keyId}`));
    if (acknowledged.length > 4 + round * 5) {
      isKilled = true;
      process.kill(api.server.pid, "SIGKILL");
    }
    return response;
  };
  const issuedOf = ({ issued_api_key }: JsonObject) => String((issued_api_key as JsonObject).key_id);
  const reason = "REVOCATION_REASON_KEY_COMPROMISE";
  const caller = async (name: string) => {
    for (let index = 0; ; index += 1) {
      const issued = await change("AdminIssueApiKey", {}, (response) => [issuedOf(response)]);
      const keyId = issuedOf(issued);
      await change("AdminUpdateIssuedApiKey", { issued_api_key: { key_id: keyId, name }, update_mask: "name" }, () => [keyId]);
      const rotated = await change("AdminRotateIssuedApiKey", { key_id: keyId }, (response) => [keyId, issuedOf(response)]);
      await change("RevokeApiKey", { credential: rotated.secret as string, reason }, () => [issuedOf(rotated)], null);
      const requests = [1, 2].map((item) => ({ raw_key: `raw-${round}-${name}-${index}-${item}`, name: "n", actor_id: "a" }));
      const imported = await change("AdminBatchImportApiKeys", { requests }, ({ results }) => importedOf(results as JsonObject[]));
      const [one] = importedOf(imported.results as JsonObject[]) as [string];
      await change("AdminDeleteImportedApiKey", { key_id: one }, () => [one]);
    }
  };
  await Promise.allSettled(Array.from({ length: callerCount }, (_, index) => caller(`caller-${index}`)));
  return acknowledged;
}

function importedOf(results: readonly JsonObject[]): unknown[] {
  return results.map(({ imported_api_key }) => (imported_api_key as JsonObject).key_id);
}

async function allEvents(api: Api): Promise<JsonObject[]> {
  const events: JsonObject[] = [];
  let page_token = "";
  do {
    const page = await api.call("AdminListAuditEvents", { page_size: 1000, page_token });
    events.push(...(page.audit_events as JsonObject[]));
    page_token = String(page.next_page_token ?? "");
  } while (page_token !== "");
  return events;
}

/** Describes what is wrong with a key that an event names; empty if nothing is. */
async function faultOf(api: Api, method = "", keyId = ""): Promise<string> {
  const kind = keyId.length === 26 ? "Issued" : "Imported";
  const key = await api.call(`AdminGet${kind}ApiKey`, { key_id: keyId }).catch(() => null);
  if (method === "AdminDeleteImportedApiKey") return key === null ? "" : `${keyId} still exists`;
  if (key === null) return kind === "Issued" ? `${keyId} does not exist` : "";
  return method === "RevokeApiKey" && key.status !== "KEY_STATUS_REVOKED" ? `${keyId} is not revoked` : "";
}
