import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** The first executable file among `name` in the folders of the PATH, then `elsewhere` where it is given. */
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
