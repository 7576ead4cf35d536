import { readFileSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { fetched, fetching } from "./fetched.ts";

const here = resolve(import.meta.dirname, "..");

/** The folder with the npm packages of test/witnesses/package-lock.json. Their scripts do not run. */
export async function npmPackages(): Promise<string> {
  const lockFile = join(here, "package-lock.json");
  return fetched("npm", readFileSync(lockFile, "utf8"), async (folder) => {
    for (const name of ["package.json", "package-lock.json"]) await copyFile(join(here, name), join(folder, name));
    await fetching("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder);
  });
}

/** Loads one of these packages. */
export async function loadPackage(name: string): Promise<unknown> {
  return createRequire(join(await npmPackages(), "package.json"))(name);
}

/** Returns a folder with the named Python packages and their dependencies: `bin` has their commands, PYTHONPATH is the folder itself. */
export async function pythonPackages(...requirements: readonly string[]): Promise<string> {
  return fetched("python", requirements.join("\n"), async (folder) => {
    const options = ["--quiet", "--no-input", "--disable-pip-version-check", "--only-binary=:all:", "--target", folder];
    await fetching("python3", ["-m", "pip", "install", ...options, ...requirements], folder);
  });
}
