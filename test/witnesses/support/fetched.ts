import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

const cacheDir = resolve(import.meta.dirname, "../../../.cache/witnesses");
const fetchTimeoutMs = 900_000;

export const run = promisify(execFile);

/** Runs a program that fetches something. */
export async function fetching(command: string, args: readonly string[], cwd: string): Promise<string> {
  const { stdout } = await run(command, args, { cwd, timeout: fetchTimeoutMs, maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

/**
 * Returns a folder of the cache that `fill` fills once per value of `contents`. It is filled under a temporary name and then renamed, so
 * that no process sees a part of it.
 */
export async function fetched(name: string, contents: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(cacheDir, `${name}-${createHash("sha256").update(contents).digest("hex").slice(0, 12)}`);
  if (existsSync(folder)) return folder;
  await mkdir(cacheDir, { recursive: true });
  const work = await mkdtemp(join(cacheDir, "fetching-"));
  try {
    await fill(work);
    await rename(work, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error;
    });
    return folder;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
