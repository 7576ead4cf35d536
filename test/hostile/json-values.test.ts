import { expect, test } from "vitest";
import { attackBesideCustomer } from "./beside-customer.ts";

const requests = 8;
/** Includes the customer's calls. Parsing so many values takes 500 ms and more. */
const maxCpuMsPerRequest = 300;
const path = "/keywright.v2alpha1.ApiKeysService/AdminBatchImportApiKeys";

/** The smallest possible values, in 6 million bytes. They are not compressed, because the server does not inflate so far. */
const bodies = {
  "empty arrays": `{"requests":[${"[],".repeat(2_000_000)}[]]}`,
  "empty items": `{"requests":[${"{},".repeat(2_000_000)}{}]}`,
  "nested arrays": "[".repeat(12_000_000),
};

test.each(Object.entries(bodies))("JSON of %s is cheap to refuse", { timeout: 120_000 }, async (name, text) => {
  const body = Buffer.from(text);
  const statuses = new Set<number>();
  const outcome = await attackBesideCustomer(`${requests} times JSON of ${name} in ${body.length} bytes`, {}, async (server) => {
    const headers = {
      authorization: `Bearer ${server.adminToken}`,
      "content-type": "application/json",
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
