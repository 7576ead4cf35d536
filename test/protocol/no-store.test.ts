import type { DescMethod } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { services } from "../../src/rpc/methods.ts";
import { asObject } from "../support/clients/client.ts";
import { clientKinds } from "../support/clients.ts";
import { startServerHere } from "../support/server-here.ts";
import type { RunningServer } from "../support/server-process.ts";

let server: RunningServer;
beforeAll(async () => {
  server = await startServerHere();
});
afterAll(() => server?.[Symbol.asyncDispose]());

describe.each(clientKinds)("over $name", ({ open }) => {
  test("no cache may store a response that contains a secret or a token", async () => {
    await using client = open(server.url, server.adminToken);
    const ask = async (methodName: string, request: Parameters<typeof client.call>[1]) => {
      const reply = await client.call(methodName, request);
      if (!reply.ok) throw new Error(`${methodName}: ${reply.message}`);
      expect(reply.headers.get("cache-control"), methodName).toBe("no-store");
      return reply.response;
    };
    const request_id = crypto.randomUUID();
    const issued = await ask("AdminIssueApiKey", { request_id });
    await ask("AdminIssueApiKey", { request_id });
    for (const algorithm of ["TOKEN_ALGORITHM_JWT", "TOKEN_ALGORITHM_MACAROON"])
      await ask("AdminDeriveToken", { credential: String(issued.secret), algorithm });
    await ask("AdminRotateIssuedApiKey", { key_id: String(asObject(issued.issued_api_key).key_id) });
  });

  test("the signing keys may be stored", async () => {
    await using client = open(server.url, server.adminToken);
    expect((await client.call("GetJwks", {})).headers.get("cache-control")).toMatch(/max-age/);
  });
});

test.each(clientKinds.filter(({ wire }) => wire.readsByGet))(
  "no cache may store what a read by GET returns over $name",
  async ({ open }) => {
    for (const token of [server.adminToken, null]) {
      await using client = open(server.url, token);
      expect((await client.call("AdminListIssuedApiKeys", {})).headers.get("cache-control")).toBe("no-store");
    }
  },
);

test("the contract marks every secret in a response, so that a new one is not forgotten", () => {
  const secretName = /^(secret|token|credential|raw_key)$/;
  const unmarked = services
    .flatMap(({ methods }) => methods as readonly DescMethod[])
    .flatMap(({ output }) =>
      output.fields.filter(({ name, message, proto }) => secretName.test(name) && !message && proto.options?.debugRedact !== true),
    );
  expect(unmarked).toEqual([]);
});
