import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { blocksOf } from "../support/docs.ts";
import { startServerHere } from "../support/server-here.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

test("the program of docs/import.md prints the keys of an SQLite file, and another installation imports them", async () => {
  const folder = temporaryFolder();
  try {
    const server = await startServerHere({ dataDir: folder.path });
    const key = {
      name: "moved",
      actor_id: "user_1",
      scopes: ["read"],
      metadata: { team: "blue" },
      rate_limit_policy: { quota: "5", window: "60s" },
      ip_restriction: { allowed_cidrs: ["10.0.0.0/8"] },
    };
    const headers = { authorization: `Bearer ${server.adminToken}`, "content-type": "application/json" };
    const body = JSON.stringify({ ...key, ttl: "1h" });
    const answer = await fetch(`${server.url}/v2alpha1/admin/issuedApiKeys`, { method: "POST", headers, body });
    const { secret } = (await answer.json()) as { secret: string };
    await server[Symbol.asyncDispose]();

    const program = join(folder.path, "export.mjs");
    writeFileSync(program, blocksOf("docs/import.md", "js")[0] as string);
    const { stdout } = await promisify(execFile)(process.execPath, [program, join(folder.path, "keywright.db")]);
    const { ttl, ...printed } = JSON.parse(stdout);
    expect(Number.parseInt(ttl, 10)).toBeGreaterThan(0);
    expect(printed).toEqual({
      ...key,
      raw_key_sha256: createHash("sha256").update(secret).digest("base64url"),
      visibility: "KEY_VISIBILITY_SECRET",
      rate_limit_policy: { quota: 5, window: "60s", unit: "requests" },
    });

    await using next = await startServerHere();
    const post = async (path: string, body: unknown) => {
      const headers = { authorization: `Bearer ${next.adminToken}`, "content-type": "application/json" };
      return (await fetch(`${next.url}/v2alpha1/admin/${path}`, { method: "POST", headers, body: JSON.stringify(body) })).json();
    };
    const imported = await post("importedApiKeys:batchImport", { requests: [{ ...printed, ttl }] });
    expect(imported).toMatchObject({ success_count: 1 });
    expect(await post("apiKeys:verify", { credential: secret, client_ip: "10.1.2.3" })).toMatchObject({
      is_valid: true,
      scopes: key.scopes,
      metadata: key.metadata,
    });
  } finally {
    folder.remove();
  }
});
