import { once } from "node:events";
import { request as http1Request } from "node:http";
import { connect } from "node:http2";
import { createConnection } from "node:net";
import { text } from "node:stream/consumers";
import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { narrowMacaroon } from "../../src/core/token/macaroon.ts";
import { flags, frame, frameTypes, headerBlock, preface } from "../hostile/http2-wire.ts";
import { type Api, faults, startApi } from "../support/api.ts";
import { asObject } from "../support/clients/client.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi("grpc", { env: { KEYWRIGHT_TRUSTED_PROXIES: "127.0.0.0/8,10.0.0.0/8,2001:db8::/32" } });
});
afterAll(() => api?.[Symbol.asyncDispose]());

const issueFor = async (...allowed_cidrs: string[]) => (await api.issue({ ip_restriction: { allowed_cidrs } })).secret;
const outcome = async (request: JsonObject, headers: Record<string, string> = {}) =>
  String((await api.verify(request, { headers })).error_code ?? "valid").replace("VERIFICATION_ERROR_", "");

const badRanges = [
  ["10.0.0.1", '"10.0.0.1/32"'],
  ["10.0.0.1/8", '"10.0.0.0/8"'],
  ["2001:db8::1", '"2001:db8::1/128"'],
  ["2001:db8::1/32", '"2001:db8::/32"'],
  ["::ffff:10.0.0.1/104", '"10.0.0.0/8"'],
  ["10.1/16", "10.0.0.0/8"],
  ["fe80::%eth0/64", "10.0.0.0/8"],
  ["0x0a.0.0.0/8", "10.0.0.0/8"],
] as const;

describe.each(badRanges)("the range %s is refused with the correct form", (range, suggestion) => {
  const ip_restriction = { allowed_cidrs: ["192.0.2.0/24", range] };

  test("in issue, update, rotate and import", async () => {
    const { keyId } = await api.issue({ ip_restriction: { allowed_cidrs: ["192.0.2.0/24"] } });
    const raw = { raw_key: "a raw key of somebody", name: "x", actor_id: "a" };
    for (const [method, request, path] of [
      ["AdminIssueApiKey", { ip_restriction }, ""],
      ["AdminUpdateIssuedApiKey", { issued_api_key: { key_id: keyId, ip_restriction } }, "issued_api_key."],
      ["AdminRotateIssuedApiKey", { key_id: keyId, ip_restriction }, ""],
      ["AdminImportApiKey", { ...raw, ip_restriction }, ""],
    ] as const) {
      const refused = await api.refused(method, request);
      expect(faults(refused), method).toEqual(["INVALID_ARGUMENT", `${path}ip_restriction.allowed_cidrs[1]`]);
      expect(refused.message, method).toContain(suggestion);
    }
    expect(await api.get(keyId)).toMatchObject({ status: "KEY_STATUS_ACTIVE", ip_restriction: { allowed_cidrs: ["192.0.2.0/24"] } });
  });

  test("in one item of a batch import", async () => {
    const item = (name: string) => ({ raw_key: `${name} for ${range}`, name, actor_id: "a" });
    const { results } = await api.call("AdminBatchImportApiKeys", { requests: [{ ...item("bad"), ip_restriction }, item("good")] });
    const [bad, good] = results as [JsonObject, JsonObject];
    expect(asObject(bad).error_message).toContain(suggestion);
    expect(asObject(good)).toHaveProperty("imported_api_key");
  });

  test("in a caveat, without an effect on other items", async () => {
    const { secret } = await api.issue();
    const { token } = await api.call("AdminDeriveToken", { credential: secret, algorithm: "TOKEN_ALGORITHM_MACAROON" });
    const narrowed = narrowMacaroon(String(asObject(token).token), [`ip in 192.0.2.0/24 ${range}`]) as string;
    expect(await outcome({ credential: narrowed, client_ip: "192.0.2.1" })).toBe("INVALID_FORMAT");
  });
});

test("an IPv4 range in IPv6 notation contains IPv4 addresses, in keys and in caveats", async () => {
  const secret = await issueFor("::ffff:10.0.0.0/104");
  const { token } = await api.call("AdminDeriveToken", {
    credential: (await api.issue()).secret,
    algorithm: "TOKEN_ALGORITHM_MACAROON",
  });
  const narrowed = narrowMacaroon(String(asObject(token).token), ["ip in ::ffff:10.0.0.0/104"]) as string;
  for (const credential of [secret, narrowed]) {
    for (const client_ip of ["10.1.2.3", "::ffff:10.1.2.3"]) expect(await outcome({ credential, client_ip })).toBe("valid");
    for (const client_ip of ["11.1.2.3", "::1"]) expect(await outcome({ credential, client_ip })).toBe("IP_NOT_ALLOWED");
  }
});

test.each([
  ...["fe80::1%eth0", "::1%", `::1%${"z".repeat(100_000)}`, `${"0".repeat(40)}::1`, " 10.0.0.1", "10.0.0.1:80", "[::1]"],
  ...["3405803783", "0xcb007107", "0313.0.0161.07", "10.1", "010.0.0.1"],
])("client_ip %j is refused by verify and derive, and by one item of a batch", async (client_ip) => {
  const { secret } = await api.issue();
  for (const method of ["AdminVerifyApiKey", "AdminDeriveToken"]) {
    expect(faults(await api.refused(method, { credential: secret, client_ip })), method).toEqual(["INVALID_ARGUMENT", "client_ip"]);
  }
  const requests: JsonObject[] = [{ credential: secret }, { credential: secret, client_ip }, { credential: secret, client_ip: "::1" }];
  const { results } = await api.call("AdminBatchVerifyApiKeys", { requests });
  const [before, bad, after] = results as [JsonObject, JsonObject, JsonObject];
  expect([before.is_valid, bad.error_code, after.is_valid]).toEqual([true, "VERIFICATION_ERROR_INVALID_FORMAT", true]);
  expect(bad.error_message).toMatch(/^client_ip: /);
});

describe("X-Forwarded-For from trusted proxies", () => {
  test("is read with ports", async () => {
    const secret = await issueFor("198.51.100.0/24", "2001:db9::/32");
    for (const header of ["198.51.100.9:4242, 10.1.2.3", "[2001:db9::7]:4242, 10.1.2.3:80", "[2001:db9::7], [2001:db8::1]:80"]) {
      expect(await outcome({ credential: secret }, { "x-forwarded-for": header }), header).toBe("valid");
    }
  });

  test("never identifies the proxy as the client", async () => {
    const secret = await issueFor("127.0.0.0/8", "10.0.0.0/8", "2001:db8::/32", "0.0.0.0/0", "::/0");
    for (const hop of ["unknown", "_x", '"198.51.100.9"', "198.51.100.9:x", "3405803783", "0xcb007107", "10.1", "fe80::1%1", ""]) {
      for (const header of [hop, `10.9.9.9, ${hop}`, `10.9.9.9, ${hop}, 10.1.2.3`].map((value) => value.trim())) {
        expect(await outcome({ credential: secret }, { "x-forwarded-for": header }), header).toBe("IP_NOT_ALLOWED");
      }
    }
    expect(await verifyOverHttp1(secret, [])).toBe(true);
  });

  test("never identifies the proxy as the client because Node drops the header over HTTP/2", async () => {
    const credential = await issueFor("127.0.0.0/8", "10.0.0.0/8");
    for (const header of ["\x01, 198.51.100.9", "198.51.100.9\x7f", "198.51.100.9\0", "\n198.51.100.9"]) {
      expect(await verifyOverFrames(credential, [["x-forwarded-for", header]]), JSON.stringify(header)).toBe(false);
    }
    expect(await verifyOverFrames(credential, [])).toBe(false);
    expect(await verifyOverFrames(credential, [["x-forwarded-for", "10.9.9.9"]])).toBe(true);
  });

  test("is one list if there are several lines, over HTTP/1.1 and HTTP/2", async () => {
    const credential = await issueFor("198.51.100.0/24");
    const fromRight = ["203.0.113.1", "198.51.100.9:1, 10.0.0.1", "10.1.2.3"];
    const spoofed = ["198.51.100.9", "203.0.113.1, 10.0.0.1", "10.1.2.3"];
    for (const over of [verifyOverHttp1, verifyOverHttp2]) {
      expect([await over(credential, fromRight), await over(credential, spoofed)]).toEqual([true, false]);
    }
  });

  test("never identifies the proxy as the client because of white space or an empty hop, over HTTP/1.1 and HTTP/2", async () => {
    const credential = await issueFor("127.0.0.0/8", "10.0.0.0/8");
    for (const over of [verifyOverHttp1, verifyOverHttp2]) {
      for (const lines of [[""], [" "], ["10.9.9.9, "], [" ,10.1.2.3"], ["10.9.9.9", ""], ["198.51.100.9 "], ["unknown\t"]]) {
        expect(await over(credential, lines), JSON.stringify(lines)).toBe(false);
      }
      expect(await over(credential, [" 10.9.9.9 "])).toBe(true);
    }
  });

  test("leaves no address in the audit trail if it is unknown", async () => {
    const { keyId } = await api.issue();
    const revoke = { key_id: keyId, reason: "REVOCATION_REASON_SUPERSEDED" };
    await api.call("AdminDisableApiKey", { key_id: keyId }, { headers: { "x-forwarded-for": "198.51.100.9, 10.1.2.3" } });
    await api.call("AdminRevokeApiKey", revoke, { headers: { "x-forwarded-for": "unknown, 10.1.2.3" } });
    const { audit_events } = await api.call("AdminListAuditEvents", { filter: `key_id="${keyId}"` });
    const [revoked, disabled, issued] = audit_events as [JsonObject, JsonObject, JsonObject];
    expect([revoked, disabled, issued].map(({ client_address }) => client_address ?? "")).toEqual(["", "198.51.100.9", ""]);
  });
});

const path = "/v2alpha1/admin/apiKeys:verify";

async function verifyOverHttp1(credential: string, forwardedFor: readonly string[]): Promise<unknown> {
  const request = http1Request(`${api.server.url}${path}`, { method: "POST" });
  request.setHeader("authorization", `Bearer ${api.server.adminToken}`);
  request.setHeader("content-type", "application/json");
  request.setHeader("x-forwarded-for", forwardedFor);
  request.end(JSON.stringify({ credential }));
  const [response] = await once(request, "response");
  return (JSON.parse(await text(response)) as JsonObject).is_valid;
}

/** No client library sends a header with a forbidden character. */
async function verifyOverFrames(credential: string, headers: readonly [string, string][]): Promise<boolean> {
  const target: [string, string][] = [
    [":method", "POST"],
    [":scheme", "http"],
    [":authority", "a"],
    [":path", path],
    ["authorization", `Bearer ${api.server.adminToken}`],
    ["content-type", "application/json"],
  ];
  const head = frame(frameTypes.headers, flags.endHeaders, 1, headerBlock([...target, ...headers]));
  const body = frame(frameTypes.data, flags.endStream, 1, Buffer.from(JSON.stringify({ credential })));
  const socket = createConnection(api.server.port, "127.0.0.1");
  socket.write(Buffer.concat([preface, frame(frameTypes.settings, 0, 0), head, body]));
  let received = "";
  for await (const chunk of socket) {
    received += String(chunk);
    const verdict = /"is_valid":(true|false)/.exec(received);
    if (verdict !== null) return verdict[1] === "true";
  }
  throw new Error("no response");
}

async function verifyOverHttp2(credential: string, forwardedFor: readonly string[]): Promise<unknown> {
  const session = connect(api.server.url);
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    authorization: `Bearer ${api.server.adminToken}`,
    "content-type": "application/json",
    "x-forwarded-for": [...forwardedFor],
  });
  stream.end(JSON.stringify({ credential }));
  const answer = JSON.parse(await text(stream)) as JsonObject;
  session.close();
  return answer.is_valid;
}
