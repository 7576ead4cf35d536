import { execFile } from "node:child_process";
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { errorTable } from "../src/error/table.ts";
import { readme, readmeBlocks } from "./support/readme.ts";
import { startServer } from "./support/server-process.ts";

const root = join(import.meta.dirname, "..");
const run = promisify(execFile);

describe("README", () => {
  test("lists every error reason as the table has it, and no other", () => {
    const rows = [...readme.matchAll(/^\| `([A-Z_]+)` \| ([A-Z_]+) \| (\d+) \| (.*) \|$/gm)].map(([, reason, code, httpStatus, text]) => [
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

  test("the tour runs as it stands, in one shell, against a fresh server", async () => {
    await using server = await startServer();
    const { dataDir } = server;
    // The tour is written for the default port and folder, and for the folder of the checkout.
    const folder = join(dataDir, "tour");
    const script = readmeBlocks("sh").join("\n").replaceAll("127.0.0.1:4430", `127.0.0.1:${server.port}`);
    const issuedKey = /secret":"(kw_v1_[0-9A-Za-z_]+)"/;
    await run("mkdir", [folder]);
    symlinkSync(dataDir, join(folder, "data"));
    for (const name of ["node_modules", "gen", "package.json"]) symlinkSync(join(root, name), join(folder, name));
    const path = `${join(root, "node_modules/.bin")}:${process.env.PATH}`;
    const { stdout } = await run("bash", ["-euo", "pipefail", "-c", script], { cwd: folder, env: { ...process.env, PATH: path } });
    expect(stdout).toMatch(issuedKey);
    expect(stdout).toContain('"is_valid":true');
    expect(stdout).toContain('"old_issued_api_key"');
    expect(stdout).toContain("keywright.v2alpha1.ApiKeysService/AdminVerifyApiKey");
    expect(stdout).toContain('"token":"mc_v1_');

    // A server on a free port does not know its URL before it listens.
    const offline = (readmeBlocks("ts").find((block) => block.includes("jwtVerify")) as string)
      .replace('issuer: "http://127.0.0.1:4430"', 'issuer: "http://127.0.0.1:0"')
      .replaceAll("127.0.0.1:4430", `127.0.0.1:${server.port}`);
    writeFileSync(join(folder, "offline.ts"), offline);
    expect((await run(process.execPath, ["--preserve-symlinks", "offline.ts"], { cwd: folder })).stdout.trim()).toBe("user_123 read");
    expect(stdout.trim().endsWith("}")).toBe(true);

    // The key of the last `buf curl`, for the gRPC client to verify.
    const key = [...stdout.matchAll(/"secret": "(kw_v1_\w+)"/g)].at(-1)?.[1] as string;
    const client = (readmeBlocks("ts")[0] as string).replaceAll("127.0.0.1:4430", `127.0.0.1:${server.port}`).replace("kw_v1_...", key);
    writeFileSync(join(folder, "client.ts"), client);
    const verified = await run(process.execPath, ["--preserve-symlinks", "client.ts"], { cwd: folder });
    expect(verified.stdout.trim()).toBe("true");
  });
});
