import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Returns the first executable file called `name` in the folders of the PATH, or `elsewhere` if that is executable. */
export function findExecutable(name: string, elsewhere?: string): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return [...folders.map((folder) => join(folder, name)), ...(elsewhere === undefined ? [] : [elsewhere])].find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
