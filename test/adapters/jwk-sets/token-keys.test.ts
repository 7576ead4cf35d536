import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { isPublicAddress } from "../../../src/adapters/jwk-sets/address.ts";
import { fetchText } from "../../../src/adapters/jwk-sets/https.ts";
import { openTokenKeys, type TokenKeysOptions } from "../../../src/adapters/jwk-sets/token-keys.ts";
import { selfSigned } from "../../support/certificates.ts";
import { base64Uri, jwkSet, privateJwk } from "../../support/jwks.ts";

const [first, second] = [await privateJwk(), await privateJwk("ES256")];
let folder = "";
let server: Server;
let answer: { status: number; headers?: Record<string, string>; body: string | null } = { status: 200, body: "" };
const logged: [level: string, fields: object, message: string][] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "keywright-jwks-"));
  const certificate = selfSigned("localhost");
  setDefaultCACertificates([...getCACertificates("default"), certificate.cert.toString()]);
  server = createServer(certificate, (_request, response) => {
    response.writeHead(answer.status, answer.headers);
    if (answer.body === null) response.write("{");
    else response.end(answer.body);
  }).listen(0, "127.0.0.1");
  await new Promise((listening) => server.once("listening", listening));
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true });
});
beforeEach(() => {
  logged.length = 0;
});

const url = (host = "localhost") => `https://${host}:${(server.address() as AddressInfo).port}/jwks`;
const limits = { timeoutMs: 2000, maxBytes: 10_000, allowsPrivateAddresses: true };

function open(options: Partial<TokenKeysOptions> & Pick<TokenKeysOptions, "uris">) {
  const log = (level: string) => (fields: object, message: string) => void logged.push([level, fields, message]);
  return openTokenKeys({
    refreshMs: 20,
    allowsPrivateAddresses: true,
    random: () => 0.5,
    monotonicMs: () => 0,
    log: { info: log("info"), warn: log("warn") },
    ...options,
  });
}

test("a file is read again; while it is malformed or missing, the last keys stay", async () => {
  const path = join(folder, "keys.json");
  await writeFile(path, jwkSet(first));
  const keys = await open({ uris: [pathToFileURL(path).href, base64Uri(jwkSet(await privateJwk()))] });
  const signer = () => keys.current().signer.kid;
  expect(signer()).toBe(first.kid);
  await writeFile(path, jwkSet(second, first));
  await expect.poll(signer).toBe(second.kid);
  expect(keys.current().byKid.has(first.kid as string)).toBe(true);

  await writeFile(path, jwkSet(second, first).slice(0, -5));
  await expect.poll(() => logged.at(-1)).toEqual(["warn", { problems: [expect.stringContaining("item 1")] }, expect.any(String)]);
  await rm(path);
  await expect
    .poll(() => logged.at(-1))
    .toEqual(["warn", { reason: `${path}: no such file or folder (ENOENT)` }, expect.stringContaining("item 1 could not be read")]);
  expect(signer()).toBe(second.kid);
  await writeFile(path, jwkSet(first));
  await expect.poll(signer).toBe(first.kid);
  expect(keys.current().byKid.has(second.kid as string)).toBe(false);
  keys.close();
  for (const jwk of [first, second]) expect(JSON.stringify(logged)).not.toContain(jwk.d);
});

test("a server is asked again; while it fails, the last keys stay", async () => {
  answer = { status: 200, body: jwkSet(first) };
  const keys = await open({ uris: [url()] });
  answer = { status: 500, body: "" };
  await expect.poll(() => keys.failedRefreshCount).toBeGreaterThan(2);
  // One line for the outage.
  expect(logged.map(([, fields]) => fields)).toEqual([{ reason: `${new URL(url()).host}: status 500` }]);
  expect(keys.current().signer.kid).toBe(first.kid);
  answer = { status: 200, body: jwkSet(second) };
  await expect.poll(() => keys.current().signer.kid).toBe(second.kid);
  answer = { status: 500, body: "" };
  await expect.poll(() => logged.map(([level]) => level)).toEqual(["warn", "info", "info", "warn"]);
  expect(logged.slice(1, 3).map(([, , message]) => message)).toEqual(["signing keys: can be read again", "signing keys changed"]);
  keys.close();
});

test("a set that cannot be read does not hide what happens to another", async () => {
  const paths = ["never", "sometimes"].map((name) => join(folder, name));
  for (const path of paths) await writeFile(path, jwkSet(path === paths[0] ? first : second));
  const keys = await open({ uris: [...paths.map((path) => pathToFileURL(path).href), base64Uri(jwkSet(await privateJwk()))] });
  const texts = () => logged.map(([, , message]) => message).filter((message) => message.includes("item 2"));
  const [lost, found] = ["signing keys: item 2 could not be read again; its last keys are kept", "signing keys: item 2 can be read again"];
  for (const path of paths) await rm(path);
  await expect.poll(texts).toEqual([lost]);
  await writeFile(paths[1] as string, jwkSet(second));
  await expect.poll(texts).toEqual([lost, found]);
  await rm(paths[1] as string);
  await expect.poll(texts).toEqual([lost, found, lost]);
  keys.close();
});

test("at the start, a missing file is malformed configuration, but a server that does not answer is not", async () => {
  await expect(open({ uris: [pathToFileURL(join(folder, "none")).href] })).rejects.toMatchObject({
    problems: [`cannot be read: ${join(folder, "none")}: no such file or folder (ENOENT)`],
  });
  answer = { status: 503, body: "" };
  const error = await open({ uris: [base64Uri(jwkSet(first)), url()] }).catch((error: unknown) => error);
  expect(error).toMatchObject({ message: `item 2 cannot be read: ${new URL(url()).host}: status 503` });
  expect(error).not.toHaveProperty("problems");
  const withPassword = url().replace("://", "://user:pass-word-1@");
  const other = await open({ uris: [withPassword] }).catch((error: unknown) => error);
  expect(other).toMatchObject({ message: `cannot be read: ${new URL(url()).host}: status 503` });
  await expect(open({ uris: [url()], allowsPrivateAddresses: false })).rejects.toHaveProperty("problems");
});

describe("a server must not", () => {
  test("redirect", async () => {
    answer = { status: 302, headers: { location: url() }, body: "" };
    await expect(fetchText(new URL(url()), limits)).rejects.toThrow("status 302");
  });

  test("send more than the maximum", async () => {
    answer = { status: 200, body: " ".repeat(10_001) };
    await expect(fetchText(new URL(url()), limits)).rejects.toThrow("more than 10000 bytes");
  });

  test("exceed the time-out, even in the middle of its answer", async () => {
    answer = { status: 200, body: null };
    await expect(fetchText(new URL(url()), { ...limits, timeoutMs: 200 })).rejects.toThrow("no answer within 200 ms");
  });

  test("have an untrusted certificate, or one for another name", async () => {
    await expect(fetchText(new URL(url("127.0.0.1")), limits)).rejects.toThrow("ERR_TLS_CERT_ALTNAME_INVALID");
  });

  test.each(["localhost", "127.0.0.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]"])(
    "be at %s, unless private addresses are allowed",
    async (host) => {
      answer = { status: 200, body: jwkSet(first) };
      await expect(fetchText(new URL(url(host)), { ...limits, allowsPrivateAddresses: false })).rejects.toThrow("private, loopback");
    },
  );
});

test.each([
  ["1.1.1.1", true],
  ["2606:4700::1111", true],
  ["10.1.2.3", false],
  ["100.64.0.1", false],
  ["169.254.169.254", false],
  ["0.0.0.0", false],
  ["fe80::1", false],
  ["fd00::1", false],
  ["64:ff9b::7f00:1", false],
  ["64:ff9b::a9fe:a9fe", false],
  ["64:ff9b::101:101", true],
  ["64:ff9b:1::101:101", false],
  ["::ffff:10.0.0.1", false],
])("%s is public: %s", (address, expected) => {
  expect(isPublicAddress(address)).toBe(expected);
});
