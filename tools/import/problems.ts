import { systemReason } from "../../src/error/system-reason.ts";

/** An error that needs another command line, header or state file. Nothing was sent. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Why an import ended before its input did. What was imported remains, and the same command continues from there. */
export class StoppedError extends Error {
  override readonly name = "StoppedError";
}

/** Runs a write to this file. If the system refuses it, throws an error that names the file and says why. */
export function writing<T>(path: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    throw new StoppedError(`${path}: cannot be written: ${systemReason(error)}`, { cause: error });
  }
}
