import { closeSync, constants, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { UsageError, writing } from "./problems.ts";
import type { Position } from "./rows.ts";

/**
 * The progress of an import, as its state file stores it. All rows before `done` are settled: imported, or written to the failures file.
 * Later rows may have been sent too; sent again under the same ids they count as imported. Contains nothing of the keys but a digest of the
 * whole input.
 */
export interface ImportState {
  /** Part of the ids of this import's batches. */
  readonly runId: string;
  /** The service that receives the keys. */
  readonly url: string;
  /** The tenant that receives them. Empty if none was given. */
  readonly tenant: string;
  readonly skipLines: number;
  readonly done: Position;
  /** SHA-256, in hex, of the input up to `done`. */
  readonly sha256: string;
  readonly imported: number;
  readonly failed: number;
  /** Length of the failures file; null before it was opened. Bytes beyond it belong to rows after `done`. */
  readonly failuresBytes: number | null;
  /** True if the end of the input was reached. */
  readonly finished: boolean;
}

const version = 1;

/** Returns null if the file does not exist. Throws UsageError if it is not a state file. */
export function readState(path: string): ImportState | null {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw new UsageError(`${path}: cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  try {
    const { version: found, ...state } = JSON.parse(text) as ImportState & { version: number };
    // Earlier versions of this tool knew no tenants.
    if (found === version && isState({ ...state, tenant: state.tenant ?? "" })) return { ...state, tenant: state.tenant ?? "" };
  } catch {
    // Not JSON.
  }
  throw new UsageError(`${path}: is not a state file of this tool; move it away to start from the beginning`);
}

function isState({ runId, url, tenant, done, sha256, finished, ...numbers }: ImportState): boolean {
  const counts = [numbers.skipLines, numbers.imported, numbers.failed, numbers.failuresBytes, done.rows, done.lines, done.bytes];
  return (
    [runId, url, tenant, sha256].every((text) => typeof text === "string") &&
    typeof finished === "boolean" &&
    counts.every(Number.isSafeInteger)
  );
}

/** Replaces the file, readable only by its owner. If the machine stops at any time, the file is either the old or the new one, complete. */
export function writeState(path: string, state: ImportState): void {
  writing(path, () => {
    const temporary = `${path}.new`;
    const file = openSync(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW, 0o600);
    try {
      writeFileSync(file, `${JSON.stringify({ version, ...state }, null, 2)}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
    const folder = openSync(dirname(path), constants.O_RDONLY);
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  });
}
