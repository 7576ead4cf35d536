import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadConfig } from "../src/config/load.ts";
import { createCredentials } from "../src/core/credential.ts";
import { createUlid } from "../src/core/ulid.ts";
import { errorTable } from "../src/error/table.ts";
import { blocksOf, commandPages, pageText, root } from "./support/docs.ts";
import { freePorts } from "./support/free-port.ts";
import { type ServerProcess, startServer } from "./support/server-process.ts";

const run = promisify(execFile);

test("README is short", () => {
  expect(pageText("README.md").split("\n").length).toBeLessThanOrEqual(150);
});

test("README and docs/guarantees.md state the same bounds", () => {
  const boundsOf = (path: string) => /^\| situation \| bound \|\n(?:\|.*\n)+/m.exec(pageText(path))?.[0];
  expect(boundsOf("README.md")).toBeDefined();
  expect(boundsOf("README.md")).toBe(boundsOf("docs/guarantees.md"));
});

test("every link to a file or heading of the repository leads somewhere", () => {
  const pages = [...commandPages, "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "test/README.md"];
  const broken = pages.flatMap((page) =>
    [...pageText(page).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)].flatMap(([link, path = "", anchor]) => {
      const target = path === "" ? page : join(dirname(page), path);
      if (!existsSync(join(root, target))) return [`${page}: ${link}`];
      return anchor === undefined || anchorsOf(target).includes(anchor) ? [] : [`${page}: ${link}`];
    }),
  );
  expect(broken).toEqual([]);
});

/** The anchors that GitHub gives to the headings of a page. */
function anchorsOf(page: string): string[] {
  const headings = [...pageText(page).matchAll(/^#+ (.+)$/gm)].map((match) => match[1] as string);
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

describe("errors", () => {
  test("docs/http-and-errors.md lists every error reason as the table has it, and no other", () => {
    const page = pageText("docs/http-and-errors.md");
    const rows = [...page.matchAll(/^\| `([A-Z_]+)` \| ([A-Z_]+) \| (\d+) \| (.*) \|$/gm)].map(([, reason, code, httpStatus, text]) => [
      reason,
      { code, httpStatus: Number(httpStatus), text },
    ]);
    expect(Object.fromEntries(rows)).toEqual(errorTable);
  });

  test("every reason of the table is used somewhere", () => {
    const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ts") && !path.endsWith("table.ts"))
      .map((path) => readFileSync(join(root, "src", path), "utf8"))
      .join("\n");
    for (const reason of Object.keys(errorTable)) expect(sources, reason).toMatch(new RegExp(`"${reason}"|\\.${reason}\\b`));
  });
});

test("the published pattern fits issued keys, with and without their surroundings", async () => {
  const pattern = /^ {4}(\\b.*\\b)$/m.exec(pageText("docs/keys.md"))?.[1] as string;
  const { randomBytes } = await import("node:crypto");
  const credentials = createCredentials(
    { current: "s".repeat(32), retired: [] },
    { secret: "kw", public: "kw_pub", retired: [] },
    randomBytes,
  );
  for (const visibility of ["secret", "public"] as const) {
    const key = credentials.mint("default", createUlid(Date.now(), randomBytes), visibility);
    expect(new RegExp(pattern).exec(`TOKEN="${key}";`)?.[0]).toBe(key);
  }
});

test("the configuration files in docs/configuration.md are valid", () => {
  const files = blocksOf("docs/configuration.md", "yaml");
  expect(files.length).toBeGreaterThan(0);
  for (const text of files) expect(() => loadConfig({}, { path: "keywright.yaml", text })).not.toThrow();
});

/** What a page's commands must print, what its TypeScript must print, block by block, and which calls are meant to be refused. */
interface Expectation {
  readonly output: readonly RegExp[];
  readonly programs?: readonly RegExp[];
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
  "docs/import.md": { output: [/^2 keys are ready to be imported, 0 failed/m, /^2 keys imported, 0 failed/m] },
  "docs/configuration.md": { output: [/KEYWRIGHT_HOST/, /^[0-9a-f]{64} {2}-$/m] },
  "docs/operations.md": { output: [/"status":"ok"/, /"crv":"Ed25519"/, /^keywright_rpc_calls_total/m, /"audit_events":\[/] },
  "docs/guarantees.md": { output: [/"is_valid":true[\s\S]*"is_valid":true[\s\S]*^retry-after: \d+[\s\S]*RATE_LIMITED/im] },
  "docs/http-and-errors.md": {
    output: [/AdminVerifyApiKey/, /^cache-status: keywright; fwd=bypass/im, /"reason":"KEY_NOT_FOUND"/],
    programs: [/^true$/, /^true$/],
    refused: ["404 GET /v2alpha1/admin/issuedApiKeys/01ARZ3NDEKTSV4RRFFQ69G5FAV"],
  },
};

describe("the commands run as they stand, in one shell for each page", () => {
  let server: ServerProcess;
  /** From what the pages say to what this server has. */
  let localize: (text: string) => string;
  beforeAll(async () => {
    const [port, metricsPort] = await freePorts(2);
    server = await startServer({ env: { KEYWRIGHT_PORT: String(port), KEYWRIGHT_METRICS_PORT: String(metricsPort) } });
    localize = (text) => text.replaceAll("127.0.0.1:4430", `127.0.0.1:${port}`).replaceAll("127.0.0.1:9464", `127.0.0.1:${metricsPort}`);
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  test("every page is looked at", () => {
    expect(Object.keys(expectations).sort()).toEqual([...commandPages].sort());
  });

  test.each(Object.entries(expectations))("%s", async (page, { output, programs = [], refused = [] }) => {
    const folder = checkout(server.dataDir, page);
    // What the pages are written for is curl without options of the reader's own; here it also says what each call answered.
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
  });
});

/** A folder that looks like the checkout in which the server was started, for one page. */
function checkout(dataDir: string, page: string): string {
  const folder = join(dataDir, "checkout", page.replace("/", "-"));
  mkdirSync(folder, { recursive: true });
  symlinkSync(dataDir, join(folder, "data"));
  for (const name of ["node_modules", "gen", "scripts", "src", "tools", "package.json"]) symlinkSync(join(root, name), join(folder, name));
  return folder;
}
