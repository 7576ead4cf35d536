import { execFile } from "node:child_process";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { blocksOf, commandPages, linkCheckout, root } from "../support/docs.ts";
import { freePorts } from "../support/free-port.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";

const run = promisify(execFile);

interface Expectation {
  /** Output of the page's commands. */
  readonly output: readonly RegExp[];
  /** Output of each TypeScript program. */
  readonly programs?: readonly RegExp[];
  /** Calls that the page shows as refused. All others must succeed. */
  readonly refused?: readonly string[];
}

const issuedKey = /"secret":"kw_v1_[0-9A-Za-z_]+"/;
const expectations: Readonly<Record<string, Expectation>> = {
  "README.md": {
    output: [issuedKey, /"is_valid":true/, /"old_issued_api_key"/, /"method":"AdminRotateIssuedApiKey"/],
  },
  "docs/keys.md": {
    output: [
      /"issued_api_keys":\[\{/,
      /"scopes":\["read"\]/,
      /"revocation_description":"left the team"/,
      /"is_valid":true.*"actor_id":"user_8"/,
    ],
    programs: [/^true$/],
  },
  "docs/tokens.md": { output: [/"token":"eyJ/, /"token":"mc_v1_/, /"is_valid":true/], programs: [/^user_123 read$/, /^mc_v1_/] },
  "docs/tenants.md": { output: [/"tenant_id":"acme"/, /"secret":"acme_v1_/, /"suspended":true[\s\S]*"tenant_id":"acme"/] },
  "docs/import.md": { output: [/^2 keys are ready to be imported, 0 failed/m, /^2 keys imported, 0 failed/m] },
  "docs/configuration.md": { output: [/KEYWRIGHT_HOST/, /^[0-9a-f]{64} {2}-$/m] },
  "docs/callers.md": { output: [/"active":true,"scope":"read","sub":"user_9"/] },
  "docs/gateways.md": { output: [/^HTTP\/1.1 200[\s\S]*^x-keywright-actor: user_7\r?$/m, /^x-keywright-scopes: orders\r?$/m] },
  "docs/operations.md": {
    output: [/"status":"ok"/, /"crv":"Ed25519"/, /^keywright_rpc_calls_total/m, /"audit_events":\[/],
    programs: [/^\d+ new events$/],
  },
  "docs/troubleshooting.md": { output: [/"status":"ok"/, /^keywright_cache_trust\{mode="leased"\} 1$/m] },
  "docs/guarantees.md": { output: [/"is_valid":true[\s\S]*"is_valid":true[\s\S]*^retry-after: \d+[\s\S]*RATE_LIMITED/im] },
  "docs/grpc.md": { output: [/"secret":\s*"kw_v1_/] },
  "docs/http-and-errors.md": {
    output: [/AdminVerifyApiKey/, /^cache-status: keywright; fwd=bypass/im, /"reason":"KEY_NOT_FOUND"/],
    programs: [/^true$/, /^true$/],
    refused: ["404 GET /v2alpha1/admin/issuedApiKeys/01ARZ3NDEKTSV4RRFFQ69G5FAV"],
  },
};

let server: ServerProcess;
/** Replaces the ports in the pages by those of this server. */
let localize: (text: string) => string;
beforeAll(async () => {
  const [port, metricsPort] = await freePorts(2);
  server = await startServer({ env: { KEYWRIGHT_PORT: String(port), KEYWRIGHT_METRICS_PORT: String(metricsPort) } });
  localize = (text) => text.replaceAll("127.0.0.1:4430", `127.0.0.1:${port}`).replaceAll("127.0.0.1:9464", `127.0.0.1:${metricsPort}`);
});
afterAll(() => server?.[Symbol.asyncDispose]());

test("every page has an expectation", () => {
  expect(Object.keys(expectations).sort()).toEqual([...commandPages].sort());
});

test.each(Object.entries(expectations))(
  "the commands and programs of %s run as written",
  async (page, { output, programs = [], refused = [] }) => {
    const folder = linkCheckout(join(server.dataDir, "checkout", page.replace("/", "-")));
    symlinkSync(server.dataDir, join(folder, "data"));
    // Replaces the user's own curlrc, and makes curl report the status of each call.
    writeFileSync(join(folder, ".curlrc"), 'write-out = "\\n%{stderr}%{http_code} %{method} %{url}\\n"\n');
    const path = `${join(root, "node_modules/.bin")}:${process.env.PATH}`;
    const env = { ...process.env, PATH: path, CURL_HOME: folder };
    const script = localize(blocksOf(page, "sh").join("\n"));
    const { stdout, stderr } = await run("bash", ["-euo", "pipefail", "-c", script], { cwd: folder, env });
    for (const pattern of output) expect(stdout).toMatch(pattern);
    const calls = [...stderr.matchAll(/^(\d{3} [A-Z]+) http:\/\/127\.0\.0\.1:\d+(\S*)$/gm)].map(
      ([, answer, target]) => `${answer} ${target}`,
    );
    expect(calls.length).toBeGreaterThanOrEqual(script.split("curl -sS").length - 1);
    expect(calls.filter((call) => !call.startsWith("2"))).toEqual(refused);

    const blocks = blocksOf(page, "ts");
    expect(blocks).toHaveLength(programs.length);
    for (const [index, block] of blocks.entries()) {
      writeFileSync(join(folder, `program-${index}.ts`), localize(block));
      const program = await run(process.execPath, ["--preserve-symlinks", `program-${index}.ts`], { cwd: folder });
      expect(program.stdout.trim()).toMatch(programs[index] as RegExp);
    }
  },
);
