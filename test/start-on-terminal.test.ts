import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { findExecutable } from "../scripts/find-executable.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

const mainFile = resolve(import.meta.dirname, "../src/main.ts");
const hasPython = findExecutable("python3") !== undefined;
/** Runs its arguments on a new pseudo-terminal and exits with their exit code. */
const onTerminal = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
const interruptKey = "\x03";

/** Starts the service on a terminal. `stop` presses Ctrl-C. */
async function startOnTerminal(settings: Readonly<Record<string, string>>) {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("KEYWRIGHT_"));
  const env = { ...Object.fromEntries(inherited), KEYWRIGHT_PORT: "0", ...settings };
  const child = spawn("python3", ["-c", onTerminal, process.execPath, mainFile], { env, stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "close");
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  while (!/"actor_id": "me"\}'\r?\n/.test(output)) {
    if (child.exitCode !== null) throw new Error(`the service exited:\n${output}`);
    await Promise.race([once(child.stdout, "data"), ended]);
  }
  const stop = async () => {
    child.stdin.write(interruptKey);
    const [code] = await ended;
    return code as number;
  };
  return { lines: output.trimEnd().split(/\r?\n/), output: () => output, stop };
}

test.skipIf(!hasPython)(
  "on a terminal a first start prints three lines: the URL and its page, the file of the admin token, and a command that issues a key",
  async () => {
    using folder = temporaryFolder();
    const dataDir = join(folder.path, "my data");
    const { lines, output, stop } = await startOnTerminal({ KEYWRIGHT_DATA_DIR: dataDir });
    try {
      expect(lines).toHaveLength(3);
      const [listening, where, first] = lines as [string, string, string];
      const [, url, page] = /^Keywright listens on (http:\S+) and shows its API on (http:\S+)$/.exec(listening) ?? [];
      expect([page, (await fetch(String(page))).status]).toEqual([`${url}/docs`, 200]);
      expect(where).toBe(`The admin token is in the file ${join(dataDir, "admin-token")}`);
      expect(output()).not.toContain(readFileSync(join(dataDir, "admin-token"), "utf8").trim());

      const { stdout } = spawnSync("bash", ["-c", first.replace(/^[^:]*: /, "")], { encoding: "utf8" });
      expect(JSON.parse(stdout)).toMatchObject({ secret: expect.stringMatching(/^kw_v1_/), issued_api_key: { name: "first" } });
    } finally {
      expect(await stop()).toBe(0);
    }
  },
);

test.skipIf(!hasPython)("a configured admin token is reported as configured, and no line contains it", async () => {
  using folder = temporaryFolder();
  const token = "configured-token-0123456789-0123456789";
  const { lines, output, stop } = await startOnTerminal({ KEYWRIGHT_DATA_DIR: folder.path, KEYWRIGHT_ADMIN_TOKEN: token });
  expect(lines.at(-2)).toBe("The admin token is the one in your configuration");
  expect(lines.at(-1)).toContain("$KEYWRIGHT_ADMIN_TOKEN");
  expect(await stop()).toBe(0);
  expect(output()).not.toContain(token);
});
