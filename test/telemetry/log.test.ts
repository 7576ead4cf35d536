import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { VerifyApiKeyRequestSchema } from "../../gen/keywright/v2alpha1/verification_pb.ts";
import { Failure } from "../../src/error/failure.ts";
import type { Log, LogFields } from "../../src/ports/log.ts";
import { createLog } from "../../src/telemetry/log.ts";

const marker = "hunter2";
const logFile = new URL("../../src/telemetry/log.ts", import.meta.url).href;

function linesOf(write: (log: Log) => void): Record<string, unknown>[] {
  const lines: string[] = [];
  write(createLog("debug", { write: (line) => void lines.push(line) }));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

const logged = (fields: LogFields, message = "m") => linesOf((log) => log.info(fields, message))[0];

test("lines are JSON with only level, ISO time, message and fields", () => {
  const [line] = linesOf((log) => log.child({ requestId: "r1" }).warn({ durationMs: 1.5, keyId: "k", count: 3n, none: null }, "slow"));
  expect(line).toEqual({
    level: "warn",
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    message: "slow",
    requestId: "r1",
    durationMs: 1.5,
    keyId: "k",
    count: "3",
    none: null,
  });
});

test("lines below the level are not written", () => {
  const lines: string[] = [];
  const log = createLog("warn", { write: (line) => void lines.push(line) });
  log.info({}, "no");
  log.child({ a: 1 }).debug({}, "no");
  log.error({}, "yes");
  expect(lines).toHaveLength(1);
});

test.each([
  "credential",
  "raw_key",
  "rawKey",
  "secret",
  "client_secret",
  "token",
  "accessToken",
  "admin_token",
  "page_token",
  "authorization",
  "Authorization",
  "proxy-authorization",
  "cookie",
  "set-cookie",
  "password",
  "passphrase",
  "private_key",
  "x-api-key",
  "jwt",
  "macaroon",
  "credentials",
  "tokens",
])("a member named %s is never written, at any depth and of any type", (name) => {
  for (const value of [marker, [marker], { inside: marker }, Buffer.from(marker)]) {
    const fields = { [name]: value, request: { headers: [{ deep: { deeper: { [name]: value } } }] }, map: new Map([[name, value]]) };
    for (const line of [logged(fields), linesOf((log) => log.child(fields).info({}, "m"))[0]]) {
      expect(JSON.stringify(line)).not.toMatch(/hunter2|aHVudGVyMg|104,117,110/);
      expect(JSON.stringify(line).match(/\[redacted\]/g)).toHaveLength(3);
    }
  }
});

test.each([
  ["mongodb://user:hunter2@db.example/keys", "mongodb://[redacted]@db.example/keys"],
  ["redis://:p@hunter2@cache", "redis://[redacted]@cache"],
  ["Authorization: Bearer hunter2.abc", "Authorization: Bearer [redacted]"],
  ["no key kw_v1_01ARZ3NDEKTSV4RRFFQ69G5FAV_hunter2hunter2 here", "no key [redacted] here"],
  ["acme_live_pub_v1_01ARZ3NDEKTSV4RRFFQ69G5FAV_hunter2", "[redacted]"],
  ["mc_v1_hunter2hunter2hunter2", "[redacted]"],
  ["kwadm_hunter2hunter2hunter2", "[redacted]"],
  ["eyJhbGciOiJFZERTQSJ9.hunter2.hunter2", "[redacted]"],
])("a credential inside a text is never written: %s", (text, expected) => {
  const line = logged({ text, list: [{ text }], [text]: 1, error: new Error(text) }, text);
  expect(line).toMatchObject({ text: expected, list: [{ text: expected }], message: expected });
  expect(JSON.stringify(line)).not.toContain(marker);
});

test("private JWK members are not written, public ones are", () => {
  expect(logged({ jwk: { kty: "OKP", x: "public", d: marker }, point: { d: 1 } })).toMatchObject({
    jwk: { kty: "OKP", x: "public", d: "[redacted]" },
    point: { d: 1 },
  });
});

test("errors are written with reason, message, stack and causes, but not with other properties", () => {
  const cause = Object.assign(new Error("disk full"), { code: "ENOSPC", request: { body: marker } });
  const failure = new Failure("STORE_UNAVAILABLE", { cause });
  expect(logged({ error: failure })?.error).toEqual({
    type: "Failure",
    reason: "STORE_UNAVAILABLE",
    message: "the store is unavailable",
    stack: expect.any(String),
    cause: { type: "Error", code: "ENOSPC", message: "disk full", stack: expect.stringContaining("log.test.ts") },
  });
});

test("request messages and bytes are not written out", () => {
  const request = create(VerifyApiKeyRequestSchema, { credential: marker, clientIp: marker });
  expect(logged({ request, body: Buffer.from(marker) })).toMatchObject({
    request: "[message keywright.v2alpha1.VerifyApiKeyRequest]",
    body: "[7 bytes]",
  });
});

test("values that cannot be written as JSON cause no error", () => {
  const circle: Record<string, unknown> = { url: new URL("https://u:hunter2@h/"), date: new Date(Number.NaN), at: new Date(0) };
  circle.self = circle;
  const line = logged({ circle, set: new Set([1]), run: () => 1, long: "x".repeat(100_000) });
  expect(line).toMatchObject({ circle: { url: "https://[redacted]@h/", date: "[no date]", at: "1970-01-01T00:00:00.000Z" }, set: [1] });
  expect(JSON.stringify(line).length).toBeLessThan(20_000);
  expect(JSON.stringify(line)).toContain("[too deep]");
});

const lineCount = 5000;
const writeLines = `
  const { createLog } = await import(${JSON.stringify(logFile)});
  const log = createLog("info");
  for (let i = 0; i < ${lineCount}; i++) log.info({ i, padding: "x".repeat(100) }, "line");`;

test.each([
  ["process.exit", "await log.flush(60_000); process.exit(0)", 0],
  ["process.exit after a fatal line", "log.fatal({ i: -1 }, 'fatal'); await log.flush(60_000); process.exit(3)", 3],
  ["the end of all work", "", 0],
])("every line is written, in order, before %s ends the process, even if the reader is slow", async (_, ending, exitCode) => {
  const child = spawn(process.execPath, ["--input-type=module", "-e", writeLines + ending], { stdio: ["ignore", "pipe", "ignore"] });
  const closed = once(child, "close");
  await delay(300);
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  expect(await closed).toEqual([exitCode, null]);
  const numbers = output
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as { i: number }).i)
    .filter((i) => i >= 0);
  expect(numbers).toEqual(Array.from({ length: lineCount }, (_, i) => i));
});

test("a line is written at once, not only when the process ends", async () => {
  const code = `
    const { createLog } = await import(${JSON.stringify(logFile)});
    createLog("info").info({}, "first");
    setTimeout(() => {}, 30_000);`;
  const child = execFile(process.execPath, ["--input-type=module", "-e", code]);
  const [line] = (await once(child.stdout as NonNullable<typeof child.stdout>, "data")) as [string];
  child.kill();
  expect(line).toContain('"message":"first"');
});
