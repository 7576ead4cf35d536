import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { findExecutable } from "./find-executable.ts";

/**
 * Third-party clients that tests use if they are available: on the PATH, or built by `npm run test:tools` if Go and Cargo are installed.
 * Tests do not build them, because that takes minutes.
 */
export type ToolName = "grpcurl" | "connectconformance" | "ory-client-session";

/** The official conformance suite of Connect. */
export const conformanceModule = { path: "connectrpc.com/conformance", version: "v1.0.7" };

interface Tool {
  /** Part of the name of the built file, so that another version is built again. */
  readonly version: string;
  /** Builds the tool into a folder, under its name. */
  buildInto(folder: string): Promise<void>;
}

const root = resolve(import.meta.dirname, "..");
const toolsDir = join(root, ".cache/tools");
const crateDir = join(root, "test/clients/rust");
const buildTimeoutMs = 900_000;

const tools: Record<ToolName, Tool> = {
  grpcurl: goTool("github.com/fullstorydev/grpcurl/cmd/grpcurl", "v1.9.3"),
  connectconformance: goTool(`${conformanceModule.path}/cmd/connectconformance`, conformanceModule.version),
  "ory-client-session": {
    version: digestOf(["Cargo.toml", "Cargo.lock", "src/main.rs"].map((name) => join(crateDir, name))),
    async buildInto(folder) {
      // Kept between runs, so that dependencies are built once.
      const targetDir = join(root, ".cache/rust-client");
      await run("cargo", ["build", "--locked", "--manifest-path", join(crateDir, "Cargo.toml"), "--target-dir", targetDir], process.env);
      await copyFile(join(targetDir, "debug/ory-client-session"), join(folder, "ory-client-session"));
    },
  },
};

function goTool(path: string, version: string): Tool {
  return {
    version,
    async buildInto(folder) {
      await run("go", ["install", `${path}@${version}`], { ...process.env, GOBIN: folder, GOFLAGS: "" });
    },
  };
}

export function findTool(name: ToolName): string | undefined {
  return findExecutable(name, builtFile(name));
}

function builtFile(name: ToolName): string {
  return join(toolsDir, `${name}-${tools[name].version}`);
}

/** Builds in a temporary folder and renames the result, so that no process sees a partial file. */
async function build(name: ToolName): Promise<string> {
  await mkdir(toolsDir, { recursive: true });
  const folder = await mkdtemp(join(toolsDir, "building-"));
  try {
    await tools[name].buildInto(folder);
    await rename(join(folder, name), builtFile(name));
    return builtFile(name);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  await promisify(execFile)(command, args, { env, timeout: buildTimeoutMs });
}

function digestOf(files: readonly string[]): string {
  const hash = createHash("sha256");
  for (const file of files) hash.update(readFileSync(file));
  return hash.digest("hex").slice(0, 12);
}

if (import.meta.main) {
  for (const name of Object.keys(tools) as ToolName[]) {
    const found = findTool(name) ?? (await build(name).catch((error: Error) => `not built: ${error.message.trim().split("\n").at(-1)}`));
    console.info(`${name}: ${found}`);
  }
}
