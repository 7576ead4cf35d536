import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { blocksOf } from "../support/docs.ts";
import { startServerHere } from "../support/server-here.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

test("the program of docs/operations.md copies each event once, also after it was interrupted", async () => {
  using folder = temporaryFolder();
  const dataDir = join(folder.path, "data");
  await using server = await startServerHere({ dataDir });
  const [program = ""] = blocksOf("docs/operations.md", "ts");
  await writeFile(join(folder.path, "copy.ts"), program.replace("http://127.0.0.1:4430", server.url));
  const issue = () =>
    fetch(`${server.url}/v2alpha1/admin/issuedApiKeys`, {
      method: "POST",
      headers: { authorization: `Bearer ${server.adminToken}`, "content-type": "application/json" },
      body: '{"name":"a"}',
    });
  // Node keeps compiled code in files too, which the limit below must not meet.
  const options = { cwd: folder.path, env: { ...process.env, NODE_DISABLE_COMPILE_CACHE: "1" } };
  const copy = async () => (await promisify(execFile)(process.execPath, ["copy.ts"], options)).stdout;

  expect((await issue()).status).toBe(201);
  expect(await copy()).toBe("1 new events\n");
  for (let count = 0; count < 9; count += 1) await issue();
  // No file may grow beyond a block of 512 or 1024 bytes, so the run ends while it writes.
  await expect(promisify(execFile)("sh", ["-c", `ulimit -f 1; exec "${process.execPath}" copy.ts`], options)).rejects.toThrow();
  expect(await copy()).toBe("9 new events\n");
  expect(await copy()).toBe("0 new events\n");
  const events = (await readFile(join(folder.path, "audit.ndjson"), "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const times = events.map(({ event_time }) => Date.parse(event_time));
  expect(new Set(events.map(({ event_id }) => event_id)).size).toBe(10);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
});
