import { expect, test } from "vitest";
import { narrowMacaroon } from "../../src/core/token/macaroon.ts";
import { asObject } from "../support/clients/client.ts";
import { httpSender, type Send } from "../support/http.ts";
import type { ServerProcess } from "../support/server-process.ts";
import { attackBesideCustomer } from "./beside-customer.ts";

/** Each request uses memory of the server. This many at the same time are what a gateway might send. */
const atOnce = 8;

test("200 client addresses with a zone of 1 MB each are refused and leave nothing behind", { timeout: 120_000 }, async () => {
  const statuses = new Set<number>();
  const outcome = await attackBesideCustomer("client_ip with zones of 1 MB", {}, async (server) => {
    const send = adminSender(server);
    await inTurns(200, async (index) => {
      const client_ip = `fe80::1%${index}${"z".repeat(1_000_000)}`;
      const answer = await send("POST", "/v2alpha1/admin/apiKeys:verify", { body: { credential: "a guess", client_ip } });
      statuses.add(answer.status);
    });
  });
  expect([...statuses]).toEqual([400]);
  expect(outcome.customerErrors).toEqual([]);
});

test("a guesser with changing addresses of one /64, and one with changing forms of one address, reach the limit", {
  timeout: 120_000,
}, async () => {
  const codes = new Map<unknown, number>();
  const env = { KEYWRIGHT_FAILED_VERIFY_LIMIT: "10/1h" };
  const outcome = await attackBesideCustomer("changing addresses", { env }, async (server) => {
    const send = adminSender(server);
    const v4 = ["192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201", "0:0:0:0:0:FFFF:192.0.2.1"];
    await inTurns(20, async (turn) => {
      const requests = Array.from({ length: 100 }, (_, index) => ({
        credential: `guess ${turn} ${index}`,
        client_ip: index % 2 === 0 ? `2001:db8::${turn.toString(16)}:${index.toString(16)}` : (v4[(index >> 1) % v4.length] as string),
      }));
      const { json } = await send("POST", "/v2alpha1/admin/apiKeys:batchVerify", { body: { requests } });
      for (const { error_code } of json.results as { error_code: string }[]) codes.set(error_code, (codes.get(error_code) ?? 0) + 1);
    });
  });
  expect(Object.fromEntries(codes)).toEqual({ VERIFICATION_ERROR_NOT_FOUND: 20, VERIFICATION_ERROR_RATE_LIMITED: 1980 });
  expect(outcome.customerErrors).toEqual([]);
});

test("batches of 100 macaroons with 100 ranges each", { timeout: 120_000 }, async () => {
  const answers = new Map<unknown, number>();
  const outcome = await attackBesideCustomer("100 macaroons with 100 ranges", {}, async (server) => {
    const send = adminSender(server);
    const { secret } = (await send("POST", "/v2alpha1/admin/issuedApiKeys", { body: { name: "x" } })).json;
    const body = { credential: secret as string, algorithm: "TOKEN_ALGORITHM_MACAROON" };
    const token = String(asObject((await send("POST", "/v2alpha1/admin/apiKeys:derive", { body })).json.token).token);
    const ranges = Array.from({ length: 100 }, (_, index) => `2001:db8:${index}::/48`).join(" ");
    const macaroons = Array.from(
      { length: 100 },
      (_, index) => narrowMacaroon(token, [`audience = ${index}`, `ip in ${ranges}`]) as string,
    );
    const requests = macaroons.map((credential, index) => ({ credential, audience: `${index}`, client_ip: "2001:db8:63::1" }));
    for (let batch = 0; batch < 12; batch += 1) {
      const { json } = await send("POST", "/v2alpha1/admin/apiKeys:batchVerify", { body: { requests } });
      for (const { is_valid } of json.results as { is_valid: boolean }[]) answers.set(is_valid, (answers.get(is_valid) ?? 0) + 1);
    }
  });
  expect(Object.fromEntries(answers)).toEqual({ true: 1200 });
  expect(outcome.customerErrors).toEqual([]);
});

function adminSender({ url, adminToken }: ServerProcess): Send {
  return httpSender(url, adminToken);
}

async function inTurns(count: number, run: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const index = next;
      next += 1;
      await run(index);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
