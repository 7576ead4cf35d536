import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { create, type JsonObject, toBinary } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { UpdateIssuedApiKeyRequestSchema } from "../../gen/keywright/v2alpha1/issued_api_key_pb.ts";
import { narrowMacaroon } from "../../src/core/token/macaroon.ts";
import { type Api, faults, startApi } from "../support/api.ts";
import { asObject } from "../support/clients/client.ts";

const outside = ["0000-01-01T00:00:00Z", "0001-01-01T00:59:59+01:00", "9999-12-31T23:59:59-00:01"];

describe.each(["json-http", "grpc"] as const)("over %s", (over) => {
  let api: Api;
  beforeAll(async () => {
    api = await startApi(over);
  });
  afterAll(() => api?.[Symbol.asyncDispose]());

  test("a caveat with a time outside the years 1 to 9999 returns INVALID_FORMAT and does not affect others in the batch", async () => {
    const { secret } = await api.issue();
    const { token } = await api.call("AdminDeriveToken", { credential: secret, algorithm: "TOKEN_ALGORITHM_MACAROON" });
    const caveats = outside.flatMap((time) => [`time < ${time}`, `time > ${time}`]);
    const macaroons = caveats.map((caveat) => narrowMacaroon(String(asObject(token).token), [caveat]) as string);
    const requests = [secret, ...macaroons, secret].map((credential) => ({ credential }));
    const results = (await api.call("AdminBatchVerifyApiKeys", { requests })).results as JsonObject[];
    expect(results.map(({ error_code }) => error_code ?? "valid")).toEqual([
      "valid",
      ...macaroons.map(() => "VERIFICATION_ERROR_INVALID_FORMAT"),
      "valid",
    ]);
  });

  test("such a time in a filter is refused", async () => {
    for (const time of outside) {
      const refused = await api.refused("AdminListAuditEvents", { filter: `event_time < "${time}"` });
      expect(faults(refused)).toEqual(["INVALID_ARGUMENT", "filter"]);
    }
  });
});

test("a time in a body outside the years 1 to 9999 is refused, also in a read-only field, in JSON and in binary", async () => {
  await using api = await startApi("json-http");
  const { keyId } = await api.issue();
  const send = async (contentType: string, body: string | Uint8Array<ArrayBuffer>) => {
    const headers = { authorization: `Bearer ${api.server.adminToken}`, "content-type": contentType };
    return fetch(`${api.server.url}/keywright.v2alpha1.ApiKeysService/AdminUpdateIssuedApiKey`, { method: "POST", headers, body });
  };
  const asJson = (expire_time: string) =>
    send("application/json", JSON.stringify({ issued_api_key: { key_id: keyId, name: "x", expire_time } }));
  const asBinary = (seconds: bigint, nanos = 0) => {
    const issuedApiKey = { keyId, name: "x", expireTime: create(TimestampSchema, { seconds, nanos }) };
    const request = create(UpdateIssuedApiKeyRequestSchema, { issuedApiKey });
    return send("application/proto", toBinary(UpdateIssuedApiKeyRequestSchema, request));
  };
  const refused = [...outside.map(asJson), asBinary(253_402_300_800n), asBinary(-62_135_596_801n), asBinary(0n, -1), asBinary(0n, 1e9)];
  for (const answer of await Promise.all(refused)) {
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain("issued_api_key.expire_time");
  }
  for (const answer of await Promise.all([asJson("9999-12-31T23:59:59Z"), asBinary(253_402_300_799n, 999_999_999)])) {
    expect(answer.status).toBe(200);
  }
});

test("an item whose result cannot be written returns INTERNAL and does not affect others in the batch", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "keywright-test-"));
  const file = join(dataDir, "keys.db");
  const options = { dataDir, env: { KEYWRIGHT_STORE: `sqlite://${file}`, KEYWRIGHT_CACHE: "none" } };
  const before = await startApi("json-http", options);
  const keys = [await before.issue(), await before.issue(), await before.issue()];
  await before[Symbol.asyncDispose]();
  const database = new DatabaseSync(file);
  // As another program might leave it.
  database.prepare("UPDATE keys SET expire_time_ms = 8640000000000000 WHERE key_id = ?").run(keys[1]?.keyId ?? "");
  database.close();
  await using api = await startApi("json-http", options);
  const requests = keys.map(({ secret }) => ({ credential: secret }));
  const results = (await api.call("AdminBatchVerifyApiKeys", { requests })).results as JsonObject[];
  expect(results.map(({ error_code }) => error_code ?? "valid")).toEqual(["valid", "VERIFICATION_ERROR_INTERNAL", "valid"]);
  await expect.poll(() => api.server.output()).toContain("credentials of a batch could not be verified");
  await rm(dataDir, { recursive: true });
});
