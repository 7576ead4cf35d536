import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const mainFile = resolve(import.meta.dirname, "../src/start.js");
let dataDir = "";

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "keywright-main-"));
});

/** Those of a test that failed may still run. */
const children: ChildProcess[] = [];
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await rm(dataDir, { recursive: true, force: true });
});

function start(args: readonly string[] = [], settings: Readonly<Record<string, string>> = {}) {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("KEYWRIGHT_"));
  const env = { ...Object.fromEntries(inherited), KEYWRIGHT_DATA_DIR: dataDir, KEYWRIGHT_PORT: "0", ...settings };
  const child = spawn(process.execPath, [mainFile, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  const outcome = { code: null as number | null, out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    outcome.out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    outcome.err += text;
  });
  const ended = once(child, "close").then(([code]) => ({ ...outcome, code: code as number | null }));
  return { child, outcome, ended };
}

type Started = ReturnType<typeof start>;

async function listening(child: Started["child"], outcome: Started["outcome"], ended: Started["ended"]): Promise<void> {
  while (!outcome.out.includes('"listening"') && child.exitCode === null) await Promise.race([once(child.stdout, "data"), ended]);
}

test("--version prints the version of the package", async () => {
  const { version } = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8")) as { version: string };
  expect(await start(["--version"]).ended).toEqual({ code: 0, out: `${version}\n`, err: "" });
});

test("--help prints the settings", async () => {
  const { code, out } = await start(["--help"]).ended;
  expect(code).toBe(0);
  expect(out).toContain("KEYWRIGHT_TRUSTED_PROXIES");
});

test("problems of the configuration are printed to standard error, and the exit code is 78", async () => {
  const { code, out, err } = await start([], { KEYWRIGHT_PROT: "1", KEYWRIGHT_SECRET: "hunter2" }).ended;
  expect({ code, out }).toEqual({ code: 78, out: "" });
  expect(err).toBe(
    "keywright: invalid configuration (2 problems):\n" +
      "  KEYWRIGHT_PROT: unknown setting; did you mean KEYWRIGHT_PORT?\n" +
      "  KEYWRIGHT_SECRET: must have at least 32 characters\n",
  );
});

test("a start that fails for its signing keys generates nothing", async () => {
  const folder = join(dataDir, "none");
  const { code, err } = await start([], { KEYWRIGHT_DATA_DIR: folder, KEYWRIGHT_SIGNING_KEYS: "file:///there/is/no/file" }).ended;
  expect({ code, err }).toEqual({ code: 78, err: expect.stringContaining("KEYWRIGHT_SIGNING_KEYS: cannot be read: /there/is/no/file") });
  expect(existsSync(folder)).toBe(false);
});

test.each([
  [["--colour"], "--help lists the options"],
  [["extra"], "--help lists the options"],
  [["--config", "/there/is/no/such.yaml"], "/there/is/no/such.yaml: cannot be read: no such file or folder (ENOENT)"],
])("%j is a problem of the configuration, and the error says what to do", async (args, text) => {
  const { code, err } = await start(args).ended;
  expect(code).toBe(78);
  expect(err).toContain(text);
  expect(err).not.toMatch(/^\s+at /m);
});

test.skipIf(process.getuid === undefined)("the start fails with exit code 78 if others may write to the data folder", async () => {
  const folder = await mkdtemp(join(tmpdir(), "keywright-open-"));
  await chmod(folder, 0o777);
  const { code, err } = await start([], { KEYWRIGHT_DATA_DIR: folder }).ended;
  await rm(folder, { recursive: true });
  expect({ code, err }).toEqual({
    code: 78,
    err: `keywright: invalid configuration (1 problem):\n  ${folder}: other users may write to this folder; run: chmod go-w ${folder}\n`,
  });
});

test("the start fails with exit code 1 and no stack if the port is in use", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const { code, out, err } = await start([], { KEYWRIGHT_PORT: String(port) }).ended;
  server.close();
  expect(code).toBe(1);
  expect(err).toBe(
    `keywright: cannot start: KEYWRIGHT_PORT: another process uses port ${port} of 127.0.0.1 (EADDRINUSE); stop it, or set another port\n`,
  );
  expect(out).not.toContain('"error"');
});

test.each(["SIGTERM", "SIGINT"] as const)(
  "%s ends a listening server with exit code 0; no output contains the admin token",
  async (signal) => {
    const { child, outcome, ended } = start();
    await listening(child, outcome, ended);
    child.kill(signal);
    const { code, out, err } = await ended;
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const lines = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { message: string; url?: string });
    expect(lines.find(({ message }) => message === "listening")?.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(lines.at(-1)?.message).toBe("closed");
    expect(out).not.toContain((await readFile(join(dataDir, "admin-token"), "utf8")).trim());
  },
);

test("SIGUSR1 does not open an inspector, and no signal but SIGTERM and SIGINT ends a server, also while it starts", async () => {
  const pipe = join(dataDir, "config");
  // An earlier attempt may have left a file.
  await rm(pipe, { force: true });
  execFileSync("mkfifo", ["-m", "600", pipe]);
  const { child, outcome, ended } = start(["--config", pipe]);
  // Opens once the process reads its configuration, which waits for the text.
  const config = await open(pipe, "w");
  const signals = ["SIGHUP", "SIGUSR1", "SIGUSR2"] as const;
  for (const signal of signals) child.kill(signal);
  await config.write("log_level: info\n");
  // A SIGHUP that comes late makes the process read the configuration again, and no one would write into the pipe.
  await rm(pipe);
  await writeFile(pipe, "log_level: info\n", { mode: 0o600 });
  await config.close();
  await listening(child, outcome, ended);
  for (const signal of ["SIGUSR1", "SIGUSR2"] as const) child.kill(signal);
  // Signals have no guaranteed order. The server's response proves that it continued after this one.
  expect(outcome).toMatchObject({ out: expect.stringContaining('"listening"'), err: "" });
  const { url } = JSON.parse(outcome.out.split("\n").find((line) => line.includes('"listening"')) as string) as { url: string };
  for (let turn = 0; turn < 20; turn += 1) expect((await fetch(`${url}/health/alive`)).status).toBe(200);
  child.kill("SIGTERM");
  expect(await ended).toMatchObject({ code: 0, err: "" });
});
