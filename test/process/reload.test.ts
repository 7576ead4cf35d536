import { hash } from "node:crypto";
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { token } from "../support/role-tokens.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";

const [first, second, third] = [token(), token(), token()];
let server: ServerProcess;

function config(secret: string, role = "admin"): string {
  return `admin_tokens:\n  - { name: one, sha256: ${hash("sha256", secret)}, roles: [${role}] }\n`;
}

beforeAll(async () => {
  server = await startServer({ config: config(first) });
});
afterAll(() => server?.[Symbol.asyncDispose]());

async function statusOf(secret: string): Promise<number> {
  const headers = { authorization: `Bearer ${secret}` };
  return (await fetch(`${server.url}/v2alpha1/admin/auditEvents`, { headers })).status;
}

/** Replaces the file in one step, as deployments do. */
async function replaceConfig(text: string): Promise<void> {
  const file = join(server.dataDir, "keywright.yaml");
  await writeFile(`${file}.new`, text, { mode: 0o600 });
  await rename(`${file}.new`, file);
}

async function logged(text: string, count: number): Promise<void> {
  await expect.poll(() => server.output().split(text).length - 1, { timeout: 20_000 }).toBeGreaterThanOrEqual(count);
}

test("a changed file and SIGHUP reload tokens; an invalid file changes nothing, and the log names the setting without the secret", async () => {
  expect([await statusOf(first), await statusOf(second)]).toEqual([200, 401]);
  await replaceConfig(config(second));
  await logged("were read again", 1);
  expect([await statusOf(first), await statusOf(second)]).toEqual([401, 200]);

  await replaceConfig(`secret: ${third}\n${config(third, "nobody")}`);
  process.kill(server.pid, "SIGHUP");
  await logged("admin_tokens[0].roles", 1);
  expect([await statusOf(second), await statusOf(third)]).toEqual([200, 401]);
  expect(server.output()).not.toContain(third);

  await replaceConfig(config(third));
  process.kill(server.pid, "SIGHUP");
  await logged("were read again", 2);
  expect([await statusOf(second), await statusOf(third)]).toEqual([401, 200]);
});
