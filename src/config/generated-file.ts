import { link, open, readFile, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Returns the text of a file, or null if it does not exist. */
export async function readIfExists(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/**
 * Creates a file of mode 0600, in a folder that exists, in one step: the text is written to the disk under a temporary name before the file
 * appears, so a crash leaves the whole file or none. Uses a hard link, because a rename would replace the file of another process that was
 * faster. In that case it returns false and leaves the file alone.
 */
export async function createWhole(path: string, text: string, uniqueSuffix: string): Promise<boolean> {
  const temporary = join(dirname(path), `.new-${uniqueSuffix}`);
  const handle = await open(temporary, "wx", 0o600);
  try {
    await handle
      .writeFile(text)
      .then(() => handle.sync())
      .finally(() => handle.close());
    await link(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    await unlink(temporary);
  }
  await syncFolder(dirname(path));
  return true;
}

/** Makes the file's name durable too. Windows cannot open folders. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
