import { readdirSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { findExecutable } from "../../../scripts/find-executable.ts";
import { fetched, fetching, run } from "./fetched.ts";

export interface Browser {
  readonly executable: string;
  /** Value for LD_LIBRARY_PATH. */
  readonly libraries: string;
}

/**
 * Returns Chromium from the PATH, or from the packages of Debian with the libraries that this machine lacks. They are unpacked into the
 * cache; nothing is installed. Rejects if there is no apt.
 */
export async function findChromium(): Promise<Browser> {
  const installed = findExecutable("chromium");
  if (installed !== undefined) return { executable: installed, libraries: "" };
  const root = await fetched("chromium", "1", fetchFromDebian);
  return { executable: join(root, "usr/lib/chromium/chromium"), libraries: libraryFolders(root).join(":") };
}

async function fetchFromDebian(folder: string): Promise<void> {
  // On a machine without package lists, root may fetch them.
  await fetching("apt-get", ["update", "-qq"], folder).catch(() => undefined);
  const plan = await fetching("apt-get", ["install", "--simulate", "--no-install-recommends", "chromium"], folder);
  const names = [...plan.matchAll(/^Inst (\S+)/gm)].map(([, name = ""]) => name);
  const downloads = join(folder, "debs");
  await mkdir(downloads);
  await fetching("apt-get", ["download", ...names], downloads);
  for (const name of readdirSync(downloads)) await run("dpkg", ["-x", join(downloads, name), folder]);
  await rm(downloads, { recursive: true });
}

function libraryFolders(root: string): string[] {
  const files = readdirSync(join(root, "usr/lib"), { recursive: true, encoding: "utf8" }).filter((name) => /\.so(\.\d+)*$/.test(name));
  return [...new Set(files.map((name) => join(root, "usr/lib", name, "..")))];
}
