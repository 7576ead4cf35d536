import { createHash, randomUUID } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readState } from "../../../tools/import/state.ts";
import { until } from "../../support/cache-listener.ts";
import { selfSigned } from "../../support/certificates.ts";
import { httpSender } from "../../support/http.ts";
import { type ServerProcess, startServer } from "../../support/server-process.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { estateOf, startTool, type Tool } from "./tool.ts";

const secret = "KEYWRIGHT_SECRET";
const env = { [secret]: "one secret for all servers of this test" };
const keyCount = 12_000;

/** Every raw key contains the word sesame, which must not appear in any output. */
const rawKey = (index: number) => `sesame_${String(index).padStart(32, "0")}`;
const row = (index: number) => `key ${index},user-${index % 7},${rawKey(index)},read write,"{""number"": ${index}}"`;
const header = "name,actor_id,raw_key,scopes,metadata";

function csv(from: number, to: number): string {
  return [header, ...Array.from({ length: to - from }, (_, index) => row(from + index)), ""].join("\n");
}

async function finished(tool: Tool): Promise<number> {
  const code = await tool.ended;
  expect(tool.output()).not.toMatch(/sesame|kwadm_/);
  return code;
}

let server: ServerProcess;
const folder = temporaryFolder();
beforeAll(async () => {
  server = await startServer({ env });
});
afterAll(async () => {
  for (const name of readdirSync(folder.path).filter((name) => !name.startsWith("input"))) {
    expect(readFileSync(join(folder.path, name), "utf8"), name).not.toMatch(/sesame|kwadm_/);
  }
  folder.remove();
  await server[Symbol.asyncDispose]();
});

/** Writes a file and imports it. The file's name must begin with "input". */
function importFile(name: string, text: string, { url, adminToken }: ServerProcess, ...args: string[]): Tool {
  const path = join(folder.path, name);
  writeFileSync(path, text);
  return startTool([path, "--url", url, ...args], { KEYWRIGHT_ADMIN_TOKEN: adminToken });
}

/** The tool's own state shows its progress at once. The server would have to list its keys, and the import would be over by then. */
function settledRows(name: string): number {
  return readState(join(folder.path, `${name}.import-state.json`))?.done.rows ?? 0;
}

async function untilSettled(name: string, rows: number): Promise<void> {
  await until(() => settledRows(name) >= rows, `${rows} rows settled`);
}

function failuresOf(path: string): string[] {
  const lines = readFileSync(path, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line)).map(({ line, reason, message }) => `${line} ${reason} ${message}`);
}

describe("npm run import", { timeout: 120_000 }, () => {
  test("imports valid lines and writes the reason for every other line to a file that only the owner can read", async () => {
    const path = join(folder.path, "failures");
    const digest = createHash("sha256").update(rawKey(90_003)).digest("base64");
    const lines = [
      '{"name":"by digest","actorId":"u","rawKeySha256":"HERE","rate_limit_policy":{"quota":5,"window":"1m"},"ttl":"90d"}'.replace(
        "HERE",
        digest,
      ),
      `{"name":"whole","actor_id":"u","raw_key":"${rawKey(90_004)}","visibility":"KEY_VISIBILITY_PUBLIC"}`,
      `{"name":"twice","actor_id":"u","raw_key":"${rawKey(90_004)}"}`,
      `{"name":"no actor","raw_key":"${rawKey(90_005)}"}`,
      `{"name":"broken","raw_key":"${rawKey(90_006)}`,
      '{"name":"no digest","actor_id":"u","raw_key_sha256":"sesame"}',
    ];
    const tool = importFile("input.ndjson", lines.join("\n"), server, "--failures", path);
    expect(await finished(tool)).toBe(1);
    expect(tool.output()).toMatch(/2 keys imported, 4 failed/);
    expect(failuresOf(path)).toEqual([
      "3 ALREADY_EXISTS line 2 has the same key",
      expect.stringMatching(/^4 INVALID_ARGUMENT actor_id: /),
      "5 UNREADABLE is not valid JSON",
      "6 INVALID_ARGUMENT raw_key_sha256: must be a SHA-256 in hex or base64",
    ]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder.path, "input.ndjson.import-state.json")).mode & 0o777).toBe(0o600);

    const again = startTool([join(folder.path, "input.ndjson"), "--url", server.url], { KEYWRIGHT_ADMIN_TOKEN: server.adminToken });
    expect(await finished(again)).toBe(2);
    expect(again.output()).toContain("this import is finished: 2 keys imported, 4 failed");

    // Another import of the same keys: existing keys are failures.
    const other = importFile("input-2.ndjson", `${lines[0]}\n${lines[1]}\n`, server);
    expect(await finished(other)).toBe(1);
    expect(failuresOf(join(folder.path, "input-2.ndjson.failures.ndjson"))).toEqual([
      "1 ALREADY_EXISTS the key already exists",
      "2 ALREADY_EXISTS the key already exists",
    ]);

    for (const [index, name] of [
      [90_003, "by digest"],
      [90_004, "whole"],
    ] as const) {
      const headers = { authorization: `Bearer ${server.adminToken}`, "content-type": "application/json" };
      const body = JSON.stringify({ credential: rawKey(index) });
      const verified = await fetch(`${server.url}/v2alpha1/admin/apiKeys:verify`, { method: "POST", headers, body });
      expect(await verified.json(), name).toMatchObject({ is_valid: true, actor_id: "u" });
    }
  });

  test("after kill -9 of the tool and of the server in the middle, the same command continues, and the result is the same", {
    timeout: 240_000,
  }, async () => {
    const text = csv(0, keyCount);
    // Names for this attempt, because the runner may make another.
    const names = { whole: `input-${randomUUID()}.csv`, torn: `input-${randomUUID()}.csv` };
    await using whole = await startServer({ env });
    expect(await finished(importFile(names.whole, text, whole))).toBe(0);
    const expected = await estateOf(whole);
    expect(expected.length).toBe(keyCount);

    using data = temporaryFolder();
    let torn = await startServer({ env, dataDir: data.path });
    const start = () => importFile(names.torn, text, torn, "--in-flight", "3");
    const first = start();
    await untilSettled(names.torn, 1000);
    await torn.kill();
    torn = await startServer({ env: { ...env, KEYWRIGHT_PORT: String(torn.port) }, dataDir: data.path });
    await untilSettled(names.torn, settledRows(names.torn) + 1000);
    first.child.kill("SIGKILL");
    expect(await finished(first)).toBe(-1);
    expect(first.output()).toContain("retrying: ");
    const second = start();
    await untilSettled(names.torn, settledRows(names.torn) + 1000);
    second.child.kill("SIGKILL");
    expect(await finished(second)).toBe(-1);
    expect((await estateOf(torn)).length).toBeLessThan(keyCount);

    const last = start();
    expect(await finished(last)).toBe(0);
    expect(last.output()).toMatch(/12,000 keys imported, 0 failed/);
    expect(await estateOf(torn)).toEqual(expected);
    expect(existsSync(join(folder.path, `${names.torn}.failures.ndjson`))).toBe(false);
    await torn.stop();
  });

  test("SIGINT lets batches in progress finish and reports how to resume", async () => {
    const count = 12_000;
    const before = (await estateOf(server)).length;
    const tool = importFile("input-int.csv", csv(100_000, 100_000 + count), server);
    await untilSettled("input-int.csv", 1000);
    tool.child.kill("SIGINT");
    expect(await finished(tool)).toBe(130);
    const [, line] = /interrupted\nto resume from line (\d+), run the same command again/.exec(tool.output()) ?? [];
    expect((await estateOf(server)).length).toBe(before + Number(line) - 2);
    const again = importFile("input-int.csv", csv(100_000, 100_000 + count), server);
    expect(await finished(again)).toBe(0);
    expect((await estateOf(server)).length).toBe(before + count);
  });

  test("stops when the quota is exhausted, and continues once there is room", async () => {
    using data = temporaryFolder();
    const name = `input-${randomUUID()}.csv`;
    const full = await startServer({ env: { ...env, KEYWRIGHT_MAX_KEYS: "2500" }, dataDir: data.path });
    const stopped = importFile(name, csv(0, 4000), full);
    expect(await finished(stopped)).toBe(3);
    expect(stopped.output()).toContain("stopped: the service accepts no more keys: ");
    await full.stop();
    await using roomy = await startServer({ env: { ...env, KEYWRIGHT_PORT: String(full.port) }, dataDir: data.path });
    expect(await finished(importFile(name, csv(0, 4000), roomy))).toBe(0);
    expect((await estateOf(roomy)).length).toBe(4000);
    expect(existsSync(join(folder.path, `${name}.failures.ndjson`))).toBe(false);
  });

  test("standard input can be read from a given line on", async () => {
    const before = (await estateOf(server)).length;
    const args = ["-", "--format", "csv", "--url", server.url, "--skip-lines", "101", "--failures", join(folder.path, "stdin")];
    const tool = startTool(args, { KEYWRIGHT_ADMIN_TOKEN: server.adminToken }, csv(200_000, 200_300));
    expect(await finished(tool)).toBe(0);
    expect((await estateOf(server)).length).toBe(before + 200);
  });

  test("a dry run needs no service and checks every line", async () => {
    const path = join(folder.path, "input-dry.csv");
    writeFileSync(path, `${csv(0, 1500)}key,,${rawKey(1)},a b,\nkey,u,,a,\nkey,u,${rawKey(2)}\nkey,u," sesame",a,\n`);
    const tool = startTool([path, "--dry-run", "--url", "http://127.0.0.1:1"]);
    expect(await finished(tool)).toBe(1);
    expect(tool.output()).toMatch(/1,500 keys are ready to be imported, 4 failed/);
    expect(failuresOf(`${path}.dry-run-failures.ndjson`).map((failure) => failure.split(":")[0])).toEqual([
      "1502 INVALID_ARGUMENT actor_id",
      "1503 INVALID_ARGUMENT raw_key",
      "1504 UNREADABLE has 3 columns, but line 1 has 5",
      "1505 INVALID_ARGUMENT raw_key",
    ]);
    expect(existsSync(`${path}.import-state.json`)).toBe(false);
  });

  test.each([
    ["a header without the needed columns", "input-h.csv", "name,sesame\n", 2, "line 1 must name the columns"],
    ["an unknown token", "input-t.csv", csv(0, 1), 3, "the service refused a batch: [unauthenticated]"],
    [
      "mismatched quotes",
      "input-q.csv",
      `${csv(300_000, 300_002)}key,u,"sesame"x,,\n`,
      3,
      "the row that begins on line 4: something follows",
    ],
  ])("%s ends the import with a reason", async (_, name, text, code, reason) => {
    const tool = importFile(name, text, name === "input-t.csv" ? { ...server, adminToken: "x".repeat(40) } : server);
    expect(await finished(tool)).toBe(code);
    expect(tool.output()).toContain(reason);
  });

  test("--tenant imports one file into several tenants, and an unknown tenant is reported", async () => {
    const send = httpSender(server.url, server.adminToken);
    const path = "/v2alpha1/admin";
    for (const id of ["acme", "globex"]) expect((await send("POST", `${path}/tenants?tenant_id=${id}`, { body: {} })).status).toBe(201);
    const text = csv(400_000, 400_003);
    for (const id of ["acme", "globex"]) {
      const tool = importFile("input-tenants.csv", text, server, "--tenant", id);
      expect([await finished(tool), tool.output()]).toEqual([0, expect.stringMatching(/3 keys imported, 0 failed/)]);
      const listed = await send("GET", `${path}/importedApiKeys`, { headers: { "keywright-tenant": id } });
      expect(listed.json.imported_api_keys).toHaveLength(3);
    }
    const unknown = importFile("input-tenants.csv", text, server, "--tenant", "nobody");
    expect([await finished(unknown), unknown.output()]).toEqual([3, expect.stringContaining("[not_found] no tenant found")]);
    const state = join(folder.path, "input-tenants.csv.nobody.import-state.json");
    const other = importFile("input-tenants.csv", text, server, "--state", state);
    expect([await finished(other), other.output()]).toEqual([2, expect.stringContaining("was started with --tenant nobody")]);
  });

  test("https works with the certificate authority that Node is given", async () => {
    using certificates = temporaryFolder();
    const [certFile, keyFile] = [join(certificates.path, "cert.pem"), join(certificates.path, "key.pem")];
    const { cert, key } = selfSigned("localhost");
    writeFileSync(certFile, cert);
    writeFileSync(keyFile, key, { mode: 0o600 });
    await using secure = await startServer({ env: { ...env, KEYWRIGHT_TLS_CERT_FILE: certFile, KEYWRIGHT_TLS_KEY_FILE: keyFile } });
    const path = join(folder.path, "input-tls.csv");
    writeFileSync(path, csv(0, 3));
    const args = [path, "--url", `https://localhost:${secure.port}`, "--token-file", join(secure.dataDir, "admin-token")];
    const tool = startTool(args, { NODE_EXTRA_CA_CERTS: certFile });
    expect(await finished(tool)).toBe(0);
    expect(tool.output()).toMatch(/3 keys imported, 0 failed/);
  });
});
