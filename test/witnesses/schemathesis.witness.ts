import { join } from "node:path";
import { expect, test } from "vitest";
import { startServer } from "../support/server-process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { run } from "./support/fetched.ts";
import { needs } from "./support/needs.ts";
import { pythonPackages } from "./support/packages.ts";

const here = import.meta.dirname;
/** Limits per address would refuse a client that sends thousands of requests. */
const noLimits = { KEYWRIGHT_SELF_REVOKE_LIMIT: "none", KEYWRIGHT_FAILED_VERIFY_LIMIT: "none" };
/** Fewer cases would mean that something was left out. */
const minCases = 1500;

const packages = needs(() => pythonPackages("schemathesis==4.32.5"));

test("schemathesis finds no problem, with requests that satisfy the served document and with others", async () => {
  const folder = packages();
  await using server = await startServer({ env: noLimits });
  using reports = temporaryFolder();
  const command = join(folder, "bin/schemathesis");
  const options = ["--phases", "examples,coverage,fuzzing", "--max-examples", "15", "--no-shrink", "--continue-on-failure", "--seed", "1"];
  const authorization = ["-H", `Authorization: Bearer ${server.adminToken}`];
  const env = {
    PATH: process.env.PATH,
    HOME: reports.path,
    PYTHONPATH: `${folder}:${here}`,
    PYTHONDONTWRITEBYTECODE: "1",
    SCHEMATHESIS_HOOKS: "schemathesis_hooks",
  };
  const args = ["--config-file", join(here, "schemathesis.toml"), "run", `${server.url}/openapi.json`, ...authorization, ...options];
  const { stdout } = await run(command, args, { env, cwd: reports.path, maxBuffer: 64 * 1024 * 1024 }).catch((error) => {
    // The findings, and how to repeat them.
    throw new Error(error.stdout ?? error.message);
  });
  const [, cases] = /^\s*(\d+) generated/m.exec(stdout) ?? [];
  console.info(`schemathesis: ${cases} cases`);
  expect(Number(cases)).toBeGreaterThan(minCases);
  expect(server.output()).not.toContain('"level":"error"');
});
