import { closeSync, constants, fstatSync, fsyncSync, ftruncateSync, openSync, writeFileSync } from "node:fs";
import { writing } from "./problems.ts";

/** Why the key on a line was not imported. Contains nothing of the key. */
export interface LineFailure {
  /** The line on which the row begins, from 1. */
  readonly line: number;
  /** An error code of the service (`ALREADY_EXISTS`), or UNREADABLE for a row that was not sent. */
  readonly reason: string;
  readonly message: string;
}

/** NDJSON with one LineFailure per line. */
export interface FailuresFile {
  /** Length of the file. */
  readonly bytes: number;
  add(failures: readonly LineFailure[]): void;
  /** Returns once all added lines are on the disk. */
  sync(): void;
  close(): void;
}

/**
 * Opens the file for appending, readable only by its owner. `knownBytes` is the length recorded by an interrupted import; whatever follows
 * is truncated, because this run writes it again.
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
      const text = failures.map((failure) => `${JSON.stringify(failure)}\n`).join("");
      writing(path, () => writeFileSync(file, text));
      bytes += Buffer.byteLength(text);
    },
    sync: () => writing(path, () => fsyncSync(file)),
    close: () => closeSync(file),
  };
}
