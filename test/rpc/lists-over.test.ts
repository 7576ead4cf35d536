import { afterAll, beforeAll, expect, test } from "vitest";
import { openStore } from "../../src/adapters/open.ts";
import { type Api, startApi } from "../support/api.ts";

/** The parts of a list that were read, of which none has an item or is the last. The third waits for `goOn`. */
const reads = { parts: 0, goOn: () => {}, third: Promise.withResolvers<void>() };
async function readPart(): Promise<void> {
  reads.parts += 1;
  if (reads.parts !== 3) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  reads.goOn = resolve;
  reads.third.resolve();
  await promise;
}

let api: Api;
beforeAll(async () => {
  api = await startApi(
    "grpc",
    {},
    {
      async openStore(...given) {
        const { store, shareable } = await openStore(...given);
        const list: typeof store.list = async (tenant, query) => {
          if (query.kind === "tenant") return store.list(tenant, query);
          await readPart();
          return { records: [], lastKeyId: "K" };
        };
        const listEvents: typeof store.audit.list = async () => {
          await readPart();
          return { events: [], lastEventId: "E" };
        };
        return { store: { ...store, list, audit: { ...store.audit, list: listEvents } }, shareable };
      },
    },
  );
});
afterAll(() => api?.[Symbol.asyncDispose]());

test.each([
  ["AdminListIssuedApiKeys", {}],
  ["AdminListImportedApiKeys", {}],
  ["AdminListAuditEvents", {}],
])("%s reads no further once the deadline has passed", async (method, request) => {
  Object.assign(reads, { parts: 0, third: Promise.withResolvers<void>() });
  const response = await fetch(`${api.server.url}/keywright.v2alpha1.ApiKeysService/${method}`, {
    method: "POST",
    headers: { authorization: `Bearer ${api.server.adminToken}`, "content-type": "application/json", "connect-timeout-ms": "200" },
    body: JSON.stringify(request),
  });
  expect(await response.json()).toMatchObject({ code: "deadline_exceeded" });
  await reads.third.promise;
  reads.goOn();
  // Every read is answered at once, so all the other parts would be read in this turn of the event loop.
  await new Promise(setImmediate);
  expect(reads.parts).toBe(3);
});

test.each(["AdminListIssuedApiKeys", "AdminListAuditEvents"])("%s reads up to 100 parts while its caller waits", async (method) => {
  reads.parts = 3;
  await api.call(method, {});
  expect(reads.parts).toBe(103);
});
