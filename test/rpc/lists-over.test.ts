import { afterAll, beforeAll, expect, test } from "vitest";
import { openStore } from "../../src/adapters/open.ts";
import { type Api, startApi } from "../support/api.ts";
import { scrape } from "../support/metrics.ts";

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
    { env: { KEYWRIGHT_METRICS_PORT: "0" } },
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

/** Returns how many connections the server has. */
async function connectionCount(): Promise<number | undefined> {
  return (await scrape(api.server)).value("keywright_connections");
}

test.each([
  ["ApiKeysService", "AdminListIssuedApiKeys"],
  ["ApiKeysService", "AdminListImportedApiKeys"],
  ["ApiKeysService", "AdminListAuditEvents"],
  ["ActorLimitsService", "AdminListActorLimits"],
])("%s: %s reads no further once its caller is gone", async (service, method) => {
  Object.assign(reads, { parts: 0, third: Promise.withResolvers<void>() });
  const caller = new AbortController();
  const answered = fetch(`${api.server.url}/keywright.v2alpha1.${service}/${method}`, {
    method: "POST",
    headers: { authorization: `Bearer ${api.server.adminToken}`, "content-type": "application/json" },
    body: "{}",
    signal: caller.signal,
  });
  await reads.third.promise;
  const before = (await connectionCount()) ?? 0;
  caller.abort();
  await expect(answered).rejects.toThrow("aborted");
  // Until the server has noticed.
  await expect.poll(connectionCount).toBe(before - 1);
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
