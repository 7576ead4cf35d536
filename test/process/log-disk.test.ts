import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { freePorts } from "../support/free-port.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const mainFile = resolve(import.meta.dirname, "../../src/main.ts");
/** Throws an uncaught error on SIGUSR2. */
const crashOnSignal = `data:text/javascript,process.on("SIGUSR2",()=>{throw new Error("crashed for the test")})`;

interface Started {
  readonly child: ChildProcess;
  readonly url: string;
  readonly metricsUrl: string;
  readonly stderr: () => string;
  readonly ended: Promise<[number | null, NodeJS.Signals | null]>;
}

async function withServer(stdout: number | "pipe", dataDir: string, use: (server: Started) => Promise<void>): Promise<void> {
  const [port, metricsPort] = await freePorts(2);
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("KEYWRIGHT_"));
  const child = spawn(process.execPath, ["--import", crashOnSignal, mainFile], {
    env: {
      ...Object.fromEntries(inherited),
      KEYWRIGHT_DATA_DIR: dataDir,
      KEYWRIGHT_PORT: String(port),
      KEYWRIGHT_METRICS_PORT: String(metricsPort),
      KEYWRIGHT_LOG_LEVEL: "debug",
    },
    stdio: ["ignore", stdout, "pipe"],
  });
  const ended = once(child, "exit") as Started["ended"];
  let stderr = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const url = `http://127.0.0.1:${port}`;
  try {
    await expect.poll(() => fetch(`${url}/health/ready`).then((answer) => answer.status, String), { timeout: 45_000 }).toBe(200);
    await use({ child, url, metricsUrl: `http://127.0.0.1:${metricsPort}/metrics`, stderr: () => stderr, ended });
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
}

/** Makes the server write log lines. */
async function makeLines(url: string, count: number): Promise<void> {
  const makeLine = async () => {
    const answer = await fetch(`${url}/v2alpha1/admin/issuedApiKeys`, { headers: { "x-request-id": "x".repeat(100) } });
    expect(answer.status).toBe(401);
    await answer.body?.cancel();
  };
  for (let made = 0; made < count; made += 50) await Promise.all(Array.from({ length: Math.min(50, count - made) }, makeLine));
}

async function droppedLines(metricsUrl: string): Promise<number> {
  return Number(/^keywright_log_lines_dropped_total (\d+)$/m.exec(await (await fetch(metricsUrl)).text())?.[1]);
}

test("a server whose log disk is full keeps serving, counts the lines, reports once, and ends on SIGTERM", async () => {
  using folder = temporaryFolder();
  const full = openSync("/dev/full", "w");
  await withServer(full, folder.path, async ({ child, url, metricsUrl, stderr, ended }) => {
    await makeLines(url, 50);
    await expect.poll(() => droppedLines(metricsUrl)).toBeGreaterThanOrEqual(50);
    child.kill("SIGTERM");
    expect(await ended).toEqual([0, null]);
    expect(stderr()).toBe("keywright: log lines cannot be written to standard output and are dropped (ENOSPC)\n");
  });
  closeSync(full);
});

test("a crash ends the process if the log disk is full, and standard error gives the reason", async () => {
  using folder = temporaryFolder();
  const full = openSync("/dev/full", "w");
  await withServer(full, folder.path, async ({ child, stderr, ended }) => {
    child.kill("SIGUSR2");
    expect(await ended).toEqual([1, null]);
    expect(stderr()).toContain("keywright: uncaught exception: Error: crashed for the test\n");
  });
  closeSync(full);
});

test.each(["SIGTERM", "SIGUSR2"] as const)("%s ends a server whose log nobody reads", async (signal) => {
  using folder = temporaryFolder();
  await withServer("pipe", folder.path, async ({ child, url, metricsUrl, ended }) => {
    // More than a pipe holds, so that a write hangs.
    await makeLines(url, 600);
    expect(await droppedLines(metricsUrl)).toBe(0);
    child.kill(signal);
    await ended;
  });
});

const canMount = process.getuid?.() === 0 && tryMount();

function tryMount(): boolean {
  using folder = temporaryFolder();
  try {
    mountSmall(folder.path);
    execFileSync("umount", [folder.path], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function mountSmall(path: string): void {
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", path], { stdio: "ignore" });
}

test.runIf(canMount)("once a full file system has room again, the log continues with complete lines", async () => {
  using folder = temporaryFolder();
  using disk = temporaryFolder();
  mountSmall(disk.path);
  const logFile = join(disk.path, "log");
  const ballast = join(disk.path, "ballast");
  const log = openSync(logFile, "a");
  try {
    await writeFile(ballast, Buffer.alloc(40 * 1024));
    await withServer(log, folder.path, async ({ child, url, metricsUrl, ended }) => {
      await makeLines(url, 200);
      await expect.poll(() => droppedLines(metricsUrl)).toBeGreaterThan(0);
      await rm(ballast);
      await makeLines(url, 5);
      child.kill("SIGTERM");
      expect(await ended).toEqual([0, null]);
    });
    const lines = (await readFile(logFile, "utf8")).trimEnd().split("\n");
    expect(JSON.parse(lines.at(-1) as string)).toMatchObject({ message: "closed" });
    // One line may have been cut off when the disk became full. It must not damage another line.
    expect(lines.filter((line) => !line.endsWith("}")).length).toBeLessThanOrEqual(1);
    expect(lines.filter((line) => line.includes('}{"level"'))).toEqual([]);
  } finally {
    closeSync(log);
    execFileSync("umount", [disk.path]);
  }
});
