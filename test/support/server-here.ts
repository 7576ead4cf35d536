import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApp } from "../../src/composition/app.ts";
import type { Parts } from "../../src/composition/given.ts";
import { completeSecrets } from "../../src/config/bootstrap.ts";
import { loadConfig } from "../../src/config/load.ts";
import { createLog } from "../../src/telemetry/log.ts";
import { type RunningServer, readIfThere, type ServerOptions } from "./server-process.ts";
import { backendSettings } from "./test-backend.ts";

/**
 * The server that `startServer` starts, but in the test's process: real sockets and databases without the processor time of
 * another process. `parts` replaces parts of the app. For tests that neither kill the process nor inspect it, and that do not block this
 * one while they wait for a response.
 */
export async function startServerHere(options: ServerOptions = {}, parts: Partial<Parts> = {}): Promise<RunningServer> {
  const { env = {}, dataDir: givenDataDir, config: configText } = options;
  const others = Object.keys(env).filter((name) => !name.startsWith("KEYWRIGHT_"));
  if (others.length > 0) throw new Error(`${others.join(", ")}: only a separate process has an environment; use startServer`);
  const dataDir = givenDataDir ?? (await mkdtemp(join(tmpdir(), "keywright-test-")));
  const removeOurs = async () => {
    if (givenDataDir === undefined) await rm(dataDir, { recursive: true, force: true });
  };
  const environment: Record<string, string> = {
    KEYWRIGHT_PORT: "0",
    KEYWRIGHT_DATA_DIR: dataDir,
    ...(await backendSettings(dataDir, configText?.includes("admin_tokens") ?? false)),
    ...env,
  };
  const lines: string[] = [];
  try {
    const file = configText === undefined ? null : { path: join(dataDir, "keywright.yaml"), text: configText };
    const { config, given } = loadConfig(environment, file);
    const { secrets } = await completeSecrets(config, given, randomBytes);
    const log = createLog(config.logLevel, { write: (line) => void lines.push(line) });
    const app = await createApp(config, secrets, log, "0.0.0", parts);
    const { url, metricsUrl } = await app.listen(config.metrics).catch(async (error: unknown) => {
      await app.close();
      throw error;
    });
    log.info({ url, metricsUrl }, "listening");
    const adminToken = environment.KEYWRIGHT_ADMIN_TOKEN ?? (await readIfThere(join(dataDir, "admin-token")));
    return runningServer({ url, dataDir, lines, adminToken, close: app.close, removeOurs });
  } catch (error) {
    await removeOurs();
    throw error;
  }
}

interface Started {
  readonly url: string;
  readonly dataDir: string;
  readonly lines: readonly string[];
  readonly adminToken: string;
  close(): Promise<void>;
  removeOurs(): Promise<void>;
}

function runningServer({ url, dataDir, lines, adminToken, close, removeOurs }: Started): RunningServer {
  let closed: Promise<number> | undefined;
  const stop = () => {
    closed ??= close().then(() => 0);
    return closed;
  };
  return {
    url: url.replace(/\/$/, ""),
    port: Number(new URL(url).port),
    adminToken,
    dataDir,
    output: () => lines.join(""),
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
      await removeOurs();
    },
  };
}
