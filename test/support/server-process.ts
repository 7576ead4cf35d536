import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { backendSettings } from "./test-backend.ts";

export interface ServerOptions {
  /** Settings in addition to a free port and the data folder. */
  readonly env?: Readonly<Record<string, string>>;
  /** A folder to start on, which is kept afterwards. Default: a new one, removed with the server. */
  readonly dataDir?: string;
  /** Text of a configuration file, passed with `--config`. */
  readonly config?: string;
}

export interface RunningServer extends AsyncDisposable {
  /** Without a slash at the end. */
  readonly url: string;
  readonly port: number;
  /** Empty if the configuration lists tokens, because then none is generated. */
  readonly adminToken: string;
  readonly dataDir: string;
  /** Everything logged so far; for a process, standard output and error. */
  output(): string;
  /**
   * Drains. Returns the exit code. A process gets SIGTERM, and SIGKILL if it has not ended within 20 s; the exit code after a signal is -1.
   */
  stop(): Promise<number>;
}

/** A server as users run it, in a separate process. */
export interface ServerProcess extends RunningServer {
  readonly pid: number;
  /** Sends SIGKILL. Resolves once the process is gone. */
  kill(): Promise<void>;
}

const mainFile = resolve(import.meta.dirname, "../../src/start.js");
const startTimeoutMs = 45_000;
const stopTimeoutMs = 20_000;

/** Starts a server on a free port and waits until it listens. Rejects with all its output if it exits or hangs first. */
export async function startServer({ env: givenEnv, dataDir: givenDataDir, config }: ServerOptions = {}): Promise<ServerProcess> {
  const dataDir = givenDataDir ?? (await mkdtemp(join(tmpdir(), "keywright-test-")));
  const configFile = join(dataDir, "keywright.yaml");
  const env: Record<string, string> = { ...(await backendSettings(dataDir, config?.includes("admin_tokens") ?? false)), ...givenEnv };
  if (config !== undefined) await writeFile(configFile, config, { mode: 0o600 });

  const child = spawn(process.execPath, [mainFile, ...(config === undefined ? [] : ["--config", configFile])], {
    env: { ...inheritedEnv(), KEYWRIGHT_PORT: "0", KEYWRIGHT_DATA_DIR: dataDir, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const chunks: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => chunks.push(text));
  const output = () => chunks.join("");
  // `close` instead of `exit`, because only then all output has been read.
  const closed = once(child, "close") as Promise<[number | null]>;
  const killWithUs = () => child.kill("SIGKILL");
  process.once("exit", killWithUs);

  const ended = closed.then(async ([code]) => {
    process.off("exit", killWithUs);
    return code ?? -1;
  });
  const stop = async () => {
    child.kill("SIGTERM");
    const force = setTimeout(() => child.kill("SIGKILL"), stopTimeoutMs);
    const code = await ended;
    clearTimeout(force);
    return code;
  };

  const url = await urlOnceListening(child, output);
  return {
    url,
    port: Number(new URL(url).port),
    adminToken: env.KEYWRIGHT_ADMIN_TOKEN ?? (await readIfThere(join(dataDir, "admin-token"))),
    dataDir,
    pid: child.pid ?? -1,
    output,
    stop,
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
    async [Symbol.asyncDispose]() {
      await stop();
      if (givenDataDir === undefined) await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Settings of the person who runs the tests must not reach the server under test. */
function inheritedEnv(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("KEYWRIGHT_")));
}

/** Empty if the configuration lists tokens, because then none is generated. */
export async function readIfThere(path: string): Promise<string> {
  return (await readFile(path, "utf8").catch(() => "")).trim();
}

async function urlOnceListening(child: ChildProcess, output: () => string): Promise<string> {
  const deadlineMs = Date.now() + startTimeoutMs;
  for (;;) {
    const url = listeningUrl(output());
    if (url !== undefined) return url;
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the server exited before it was listening:\n${output()}`);
    if (Date.now() > deadlineMs) {
      child.kill("SIGKILL");
      throw new Error(`the server did not listen within ${startTimeoutMs} ms:\n${output()}`);
    }
    await new Promise((wake) => setTimeout(wake, 20));
  }
}

/** The `url` in the log line that contains "listening". */
function listeningUrl(text: string): string | undefined {
  const line = text.split("\n").find((candidate) => candidate.endsWith("}") && /"(msg|message)":"listening"/.test(candidate));
  if (line === undefined) return undefined;
  return (JSON.parse(line) as { url: string }).url.replace(/\/$/, "");
}
