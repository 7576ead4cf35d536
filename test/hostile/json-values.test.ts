import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { attackBesideCustomer } from "./beside-customer.ts";

const requests = 8;
/** Beside a customer and inflating. Parsing so many values takes 1,500 ms and more. */
const maxCpuMsPerRequest = 800;
const path = "/keywright.v2alpha1.ApiKeysService/AdminBatchImportApiKeys";

/** Some 15,000 bytes on the wire that are 15 million bytes of the smallest values there are. */
const bodies = {
  "empty arrays": `{"requests":[${"[],".repeat(5_000_000)}[]]}`,
  "empty items": `{"requests":[${"{},".repeat(5_000_000)}{}]}`,
  "nested arrays": "[".repeat(15_000_000),
};

test.each(Object.entries(bodies))("JSON of %s costs next to nothing to refuse", { timeout: 120_000 }, async (name, text) => {
  const body = new Uint8Array(gzipSync(text));
  const statuses = new Set<number>();
  const outcome = await attackBesideCustomer(`${requests} times JSON of ${name} in ${body.length} bytes`, {}, async (server) => {
    const headers = {
      authorization: `Bearer ${server.adminToken}`,
      "content-type": "application/json",
      "content-encoding": "gzip",
    };
    for (let sent = 0; sent < requests; sent += 1) {
      const response = await fetch(server.url + path, { method: "POST", headers, body });
      await response.arrayBuffer();
      statuses.add(response.status);
    }
  });
  expect([...statuses]).toEqual([400]);
  expect(outcome.customerErrors).toEqual([]);
  expect(outcome.cpuMs).toBeLessThan(requests * maxCpuMsPerRequest);
});
