import { closeSync, constants, fstatSync, fsyncSync, ftruncateSync, openSync, writeSync } from "node:fs";

/** Why the key on a line was not imported. Holds nothing of the key. */
export interface LineFailure {
  /** On which the row begins, from 1. */
  readonly line: number;
  /** A code of the service (`ALREADY_EXISTS`), or UNREADABLE for a row that was not sent. */
  readonly reason: string;
  readonly message: string;
}

/** NDJSON with one LineFailure on a line. */
export interface FailuresFile {
  /** Its length. */
  readonly bytes: number;
  add(failures: readonly LineFailure[]): void;
  /** Resolves once what was added is on the disk. */
  sync(): void;
  close(): void;
}

/**
 * Opens the file to append to it, readable by its owner alone. `knownBytes` is how long an interrupted import left it; what an import wrote behind
 * that, it will write again.
 */
export function openFailures(path: string, knownBytes: number | null): FailuresFile {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW;
  const file = openSync(path, flags, 0o600);
  let bytes = fstatSync(file).size;
  if (knownBytes !== null && knownBytes < bytes) {
    ftruncateSync(file, knownBytes);
    bytes = knownBytes;
  }
  return {
    get bytes() {
      return bytes;
    },
    add(failures) {
      if (failures.length === 0) return;
      bytes += writeSync(file, failures.map((failure) => `${JSON.stringify(failure)}\n`).join(""));
    },
    sync: () => fsyncSync(file),
    close: () => closeSync(file),
  };
}
