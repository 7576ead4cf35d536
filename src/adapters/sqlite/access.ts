import type { DatabaseSync } from "node:sqlite";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Failure } from "../../error/failure.ts";
import { createFileIdentityCheck, storeError } from "./database.ts";
import { createGroupCommit } from "./group-commit.ts";

/** Reads and writes with the errors of a store. After `close` all of them fail. */
export interface Access {
  read<T>(query: () => T): T;
  /** Lets other work run before the next step of a long list. */
  readStep<T>(query: () => T): Promise<T>;
  /** Runs a write in a transaction with others. `rowCount` is roughly how many rows it writes; default: 1. */
  write<T>(change: () => T, rowCount?: number): Promise<T>;
  /** Throws STORE_UNAVAILABLE if the database cannot be read, or its file is not in its place. */
  ping(): void;
  close(): void;
}

/** `path` is the file of the database. */
export function createAccess(database: DatabaseSync, path: string): Access {
  const checkFileIdentity = createFileIdentityCheck(path);
  const groupCommit = createGroupCommit(database, checkFileIdentity);
  const probe = database.prepare("SELECT 1 FROM keys LIMIT 1");

  function read<T>(query: () => T): T {
    if (!database.isOpen) throw new Failure("STORE_UNAVAILABLE");
    try {
      return query();
    } catch (error) {
      throw storeError(error);
    }
  }

  return {
    read,
    async readStep(query) {
      const result = read(query);
      await nextTurn();
      return result;
    },
    async write(change, rowCount) {
      if (!database.isOpen) throw new Failure("STORE_UNAVAILABLE");
      try {
        return await groupCommit.run(change, rowCount);
      } catch (error) {
        throw storeError(error);
      }
    },
    ping: () =>
      read(() => {
        checkFileIdentity();
        probe.get();
      }),
    close() {
      if (!database.isOpen) return;
      read(() => {
        groupCommit.drain();
        database.close();
      });
    },
  };
}
