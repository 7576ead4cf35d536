import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Api, startApi } from "../support/api.ts";
import { httpSender, type Send } from "../support/http.ts";

let api: Api;
let send: Send;
beforeAll(async () => {
  api = await startApi();
  send = httpSender(api.server.url, api.server.adminToken);
});
afterAll(() => api?.[Symbol.asyncDispose]());

const admin = "/v2alpha1/admin";
const objects = [
  '{"__proto__":{"role":"admin"}}',
  '{"a":{"__proto__":1}}',
  '{"a":[{"b":[{"__proto__":"x"}]}]}',
  '{"\\u005f_proto__":null}',
];

describe.each(objects)("%s", (object) => {
  const problem = (field: string) => expect.stringContaining(`${field}: must not have a member named __proto__`);

  test("is refused as metadata of a new, imported, updated or rotated key", async () => {
    const { keyId } = await api.issue();
    const requests: [string, string, string][] = [
      ["POST", `${admin}/issuedApiKeys`, `{"metadata":${object}}`],
      ["POST", `${admin}/importedApiKeys`, `{"raw_key":"sk_${crypto.randomUUID()}","name":"x","actor_id":"x","metadata":${object}}`],
      ["PATCH", `${admin}/issuedApiKeys/${keyId}`, `{"metadata":${object}}`],
      ["POST", `${admin}/issuedApiKeys/${keyId}:rotate`, `{"metadata":${object}}`],
    ];
    for (const [method, path, body] of requests) {
      const answer = await send(method, path, { body });
      expect([answer.status, answer.json.message], `${method} ${path}`).toEqual([400, problem("metadata")]);
    }
    expect(await api.get(keyId)).not.toHaveProperty("metadata");
  });

  test("is refused as a custom claim", async () => {
    const { secret } = await api.issue();
    const answer = await send("POST", `${admin}/apiKeys:derive`, { body: `{"credential":"${secret}","custom_claims":${object}}` });
    expect([answer.status, answer.json.message]).toEqual([400, problem("custom_claims")]);
  });

  test("is refused over Connect and gRPC too", async () => {
    const path = "/keywright.v2alpha1.ApiKeysService/AdminIssueApiKey";
    const answer = await send("POST", path, { body: `{"metadata":${object}}` });
    expect([answer.status, answer.json.message]).toEqual([400, problem("metadata")]);
    const metadata = JSON.parse(object) as JsonObject;
    expect(await api.refused("AdminIssueApiKey", { metadata })).toMatchObject({ code: "INVALID_ARGUMENT", message: problem("metadata") });
  });
});
