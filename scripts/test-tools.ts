import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { findExecutable } from "./find-executable.ts";

/**
 * Tools of others that tests use as witnesses where they are: on the PATH, or built by `npm run test:tools` where Go is. Tests do not build
 * them, since that takes minutes.
 */
export type ToolName = "grpcurl";

const modules = {
  grpcurl: { command: "github.com/fullstorydev/grpcurl/cmd/grpcurl", version: "v1.9.3" },
} as const satisfies Record<ToolName, object>;

const toolsDir = resolve(import.meta.dirname, "../.cache/tools");
const buildTimeoutMs = 900_000;

export function findTool(name: ToolName): string | undefined {
  return findExecutable(name, builtFile(name));
}

/** With its version in the name, so that another one is built afresh. */
function builtFile(name: ToolName): string {
  return join(toolsDir, `${name}-${modules[name].version}`);
}

/** Built in a folder of its own and renamed into place, so that nobody ever sees half a tool. */
async function build(name: ToolName): Promise<string> {
  const { command, version } = modules[name];
  await mkdir(toolsDir, { recursive: true });
  const folder = await mkdtemp(join(toolsDir, "building-"));
  try {
    const env = { ...process.env, GOBIN: folder, GOFLAGS: "" };
    await promisify(execFile)("go", ["install", `${command}@${version}`], { env, timeout: buildTimeoutMs });
    await rename(join(folder, name), builtFile(name));
    return builtFile(name);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  for (const name of Object.keys(modules) as ToolName[]) {
    const found = findTool(name) ?? (await build(name).catch((error: Error) => `not built: ${error.message.trim().split("\n").at(-1)}`));
    console.info(`${name}: ${found}`);
  }
}
