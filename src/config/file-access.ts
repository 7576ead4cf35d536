import type { Stats } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { shellWord } from "./shell-word.ts";

/** Suffixes of the SQLite file and of the files beside it. */
const databaseSuffixes = ["", "-wal", "-shm", "-journal"];
const groupOrOthersWrite = 0o022;
const anythingForGroupOrOthers = 0o077;
const sticky = 0o1000;

/**
 * Returns unsafe permissions of other users of this machine: writing to the data folder or the store's folder, or reading a file that holds
 * secrets or keys. Each problem is one text with the command that fixes it. Missing folders and files are not a problem. Windows has no
 * such modes.
 */
export async function accessProblems(dataDir: string, databaseFile: string | null): Promise<string[]> {
  if (process.getuid === undefined) return [];
  const ownUid = process.getuid();
  const folders = new Map<string, (name: string) => boolean>([[dataDir, () => true]]);
  if (databaseFile !== null && dirname(databaseFile) !== dataDir) {
    const names = new Set(databaseSuffixes.map((suffix) => basename(databaseFile) + suffix));
    folders.set(dirname(databaseFile), (name) => names.has(name));
  }
  const problems = await Promise.all(Array.from(folders, ([path, isOurs]) => folderProblems(path, isOurs, ownUid)));
  return problems.flat();
}

async function folderProblems(path: string, isOurs: (name: string) => boolean, ownUid: number): Promise<string[]> {
  const folder = await statIfExists(path);
  if (folder === null || !folder.isDirectory()) return [];
  const problems = ownerProblems(path, folder, ownUid);
  if ((folder.mode & groupOrOthersWrite) !== 0) {
    // A folder such as /tmp is writable by everybody on purpose.
    const remedy = (folder.mode & sticky) === 0 ? `run: chmod go-w ${shellWord(path)}` : "use a folder of its own";
    problems.push(`${path}: other users may write to this folder; ${remedy}`);
  }
  for (const name of (await readdir(path)).filter(isOurs).sort()) {
    const file = join(path, name);
    const stats = await statIfExists(file);
    if (stats === null || !stats.isFile()) continue;
    problems.push(...ownerProblems(file, stats, ownUid));
    if ((stats.mode & anythingForGroupOrOthers) !== 0) {
      problems.push(`${file}: other users may read or write this file; run: chmod 600 ${shellWord(file)}`);
    }
  }
  return problems;
}

/** The owner can do everything, whatever the mode is. */
function ownerProblems(path: string, { uid }: Stats, ownUid: number): string[] {
  return uid === ownUid || uid === 0 ? [] : [`${path}: belongs to another user (uid ${uid}); run: chown ${ownUid} ${shellWord(path)}`];
}

async function statIfExists(path: string): Promise<Stats | null> {
  try {
    return await stat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}
