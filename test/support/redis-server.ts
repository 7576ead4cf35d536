import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serverBinary, urlSetting } from "../../scripts/test-servers.ts";
import { freePorts } from "./free-port.ts";
import { type ServerChild, startServerChild } from "./server-child.ts";

export interface RedisOptions {
  /** A separate server, which can be killed. Without any option, any server is used, including one named by a setting. */
  readonly own?: boolean;
  /** Default: a free port. */
  readonly port?: number;
  /** The folder of its files. Default: a new folder, removed by `stop`. */
  readonly dir?: string;
  /** Additional settings, one word each: `["--appendonly", "yes", "--user", "app", "on", ">secret", "~*", "&*", "+@all"]`. */
  readonly args?: readonly string[];
}

export interface RedisServer {
  readonly uri: string;
  /** 0 if the server is not our own; then it cannot be killed or restarted. */
  readonly port: number;
  readonly dir: string;
  /** SIGSTOP, SIGCONT, or a signal that ends the process. Resolves when the process is stopped or gone. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts it again after a kill, on the same port and folder. Without saved data it is empty. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts a real redis-server that saves nothing by itself, or returns why it cannot. Takes some 50 ms. In CI, a missing server is an error.
 */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer | { unavailable: string }> {
  const givenUri = process.env[urlSetting("redis-server")];
  if (givenUri !== undefined && Object.keys(options).length === 0) return givenServer(givenUri);
  let binary: string;
  try {
    binary = await serverBinary("redis-server");
  } catch (error) {
    if (process.env.CI !== undefined) throw error;
    return { unavailable: (error as Error).message };
  }
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), "keywright-redis-")));
  const removeDir = async () => {
    if (options.dir === undefined) await rm(dir, { recursive: true, force: true });
  };
  // Another process may take a free port before redis-server does.
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOn(options.port ?? ((await freePorts(1))[0] as number), binary, dir, options.args ?? [], removeDir);
    } catch (error) {
      if (attempt === 3 || options.port !== undefined) {
        await removeDir();
        throw error;
      }
    }
  }
}

async function startOn(
  port: number,
  binary: string,
  dir: string,
  moreArgs: readonly string[],
  removeDir: () => Promise<void>,
): Promise<RedisServer> {
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "no", ...moreArgs];
  let child: ServerChild = await startServerChild(binary, args, port);
  return {
    uri: `redis://127.0.0.1:${port}`,
    port,
    dir,
    kill: (signal) => child.kill(signal),
    async restart() {
      child = await startServerChild(binary, args, port);
    },
    async stop() {
      await child.kill("SIGKILL");
      await removeDir();
    },
  };
}

function givenServer(uri: string): RedisServer {
  const notOurs = async () => {
    throw new Error("this redis-server is not our own: start one with { own: true }");
  };
  return { uri, port: 0, dir: "", kill: notOurs, restart: notOurs, stop: async () => {} };
}
