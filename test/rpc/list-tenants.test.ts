import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { maxAnswerBytes } from "../../src/rpc/answer-size.ts";
import { type Api, startApi } from "../support/api.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api?.[Symbol.asyncDispose]());

test("tenants that do not fit into one response are on several pages", async () => {
  const hosts = (tenant: string) =>
    Array.from({ length: 100 }, (_, index) => `${tenant}-${index}.${`${"x".repeat(60)}.`.repeat(3)}example`);
  const ids = Array.from({ length: 220 }, (_, index) => `large-${String(index).padStart(3, "0")}`);
  for (const tenant_id of ids) await api.call("AdminCreateTenant", { tenant_id, tenant: { hosts: hosts(tenant_id) } });
  expect(JSON.stringify(ids.map(hosts)).length).toBeGreaterThan(maxAnswerBytes);

  const pages: JsonObject[] = [];
  do {
    const page_token = pages.at(-1)?.next_page_token ?? "";
    // A gRPC client refuses responses above 4 MiB.
    pages.push(await api.call("AdminListTenants", { page_size: 1000, page_token }));
  } while ((pages.at(-1)?.next_page_token ?? "") !== "");

  const listed = pages.flatMap(({ tenants }) => tenants as JsonObject[]).map(({ tenant_id }) => tenant_id);
  expect(listed.filter((id) => id !== "default")).toEqual(ids);
  expect(pages.length).toBeGreaterThan(1);
});
