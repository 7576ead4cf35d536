import { expect, test } from "vitest";
import { startApi } from "../support/api.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-00`, "x-request-id": "request-7" };

interface Line {
  readonly level: string;
  readonly rpc?: string;
}

async function linesOf(sampling: string): Promise<Line[]> {
  await using api = await startApi("json-http", { env: { KEYWRIGHT_LOG_SAMPLING: sampling } });
  const { secret, keyId } = await api.issue();
  for (let round = 0; round < 200; round += 1) await api.verify({ credential: secret }, { headers });
  await api.call("AdminRevokeApiKey", { key_id: keyId, reason: "REVOCATION_REASON_SUPERSEDED" });
  await api.server.stop();
  expect(api.server.output()).not.toContain(secret);
  const lines = api.server
    .output()
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);
  return lines.filter(({ rpc }) => rpc !== undefined);
}

test("a share of the reads is logged, with the caller's trace although tracing is off; changes are always logged", async () => {
  const lines = await linesOf("0.5");
  const verifies = lines.filter(({ rpc }) => rpc === "AdminVerifyApiKey");
  // Of 200 at one half: 12 standard deviations on either side.
  expect(verifies.length).toBeGreaterThan(15);
  expect(verifies.length).toBeLessThan(185);
  expect(verifies[0]).toEqual({
    level: "info",
    time: expect.any(String),
    message: "call",
    requestId: "request-7",
    traceId,
    rpc: "AdminVerifyApiKey",
    protocol: "json-http",
    caller: "admin",
    code: "OK",
    durationMs: expect.any(Number),
  });
  expect(lines.map(({ rpc }) => rpc)).toEqual(expect.arrayContaining(["AdminIssueApiKey", "AdminRevokeApiKey"]));
});

test("by default no read is logged, and with 1 every read", async () => {
  expect((await linesOf("0")).map(({ rpc }) => rpc)).toEqual(["AdminIssueApiKey", "AdminRevokeApiKey"]);
  expect((await linesOf("1")).filter(({ rpc }) => rpc === "AdminVerifyApiKey")).toHaveLength(200);
});
