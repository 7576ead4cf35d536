import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { describe, test } from "vitest";

/** Runs a Python program with the packages below. Returns its standard output; rejects with all its output if it fails. */
export type RunPython = (program: string, args?: readonly string[], options?: { readonly cwd?: string }) => Promise<string>;

const packages = [
  ...["pymacaroons==0.13.0", "PyNaCl==1.6.2", "six==1.17.0"],
  ...["grpcio==1.76.0", "protobuf==6.33.2", "typing_extensions==4.15.0"],
  ...["PyJWT==2.15.1", "cryptography==50.0.2", "cffi==2.1.1", "pycparser==3.12"],
];
const cacheDir = resolve(import.meta.dirname, "../../.cache/python");
const installTimeoutMs = 300_000;
const run = promisify(execFile);

/**
 * `describe` for tests that run Python programs with pymacaroons, PyJWT and grpcio. If there is no Python, or its packages cannot be
 * installed, one skipped test gives the reason; in CI that is an error. Await it at the top of a test file.
 */
export async function describeWithPython(name: string, body: (runPython: RunPython) => void): Promise<void> {
  const found = await installPackages().catch((error: Error) => {
    if (process.env.CI !== undefined) throw error;
    return { unavailable: error.message.trim().split("\n").slice(-3).join("\n") };
  });
  describe(name, () => {
    if (typeof found === "string") body(runWith(found));
    else test.skip(`needs Python with pip: ${found.unavailable}`, () => {});
  });
}

function runWith(folder: string): RunPython {
  return async (program, args = [], { cwd } = {}) => {
    const env = { PATH: process.env.PATH, PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: "1" };
    const { stdout } = await run("python3", ["-c", program, ...args], { env, cwd, timeout: 60_000 });
    return stdout.trim();
  };
}

/**
 * The folder with the packages, filled once per version of Python and of the packages. It is prepared under a temporary name and then
 * renamed. A concurrent process that comes second finds the name in use, and uses the existing folder.
 */
async function installPackages(): Promise<string> {
  const { stdout: version } = await run("python3", ["-c", "import sys, platform; print(sys.version, platform.machine())"]);
  const folder = join(
    cacheDir,
    createHash("sha256")
      .update([version, ...packages].join("\n"))
      .digest("hex")
      .slice(0, 16),
  );
  if (await isThere(folder)) return folder;
  await mkdir(cacheDir, { recursive: true });
  const work = await mkdtemp(join(cacheDir, "installing-"));
  try {
    const options = ["--quiet", "--no-input", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--target", work];
    await run("python3", ["-m", "pip", "install", ...options, ...packages], { timeout: installTimeoutMs });
    await rename(work, folder).catch(async (error) => {
      if (!(await isThere(folder))) throw error;
    });
    return folder;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
