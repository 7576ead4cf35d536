import type { DatabaseSync } from "node:sqlite";

/**
 * Approximate maximum rows per transaction, about 15 ms of work for new keys, each of which changes some ten pages of indexes. Then the
 * transaction is committed and the event loop gets its turn. Larger transactions add no more keys a second (bench/tail.ts).
 */
export const maxRowsPerCommit = 64;

export interface GroupCommit {
  /**
   * Runs `write` in a transaction and resolves with its result once that is on the disk. If the write throws, its effects are undone.
   * Rejects with the error of the write or of SQLite. If the commit failed, the write may still exist after a restart. `rowCount` is the
   * amount of work.
   */
  run<T>(write: () => T, rowCount?: number): Promise<T>;

  /** Commits everything that is queued, before it returns. */
  drain(): void;
}

interface Waiting {
  readonly write: () => unknown;
  readonly rowCount: number;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Lets the writes of one turn of the event loop share a transaction. The sync to the disk is most of a write's cost, and it is paid once
 * for all of them. Each write has a savepoint, so that one that fails does not affect the others.
 */
export function createGroupCommit(database: DatabaseSync): GroupCommit {
  const begin = database.prepare("BEGIN IMMEDIATE");
  const commit = database.prepare("COMMIT");
  const rollback = database.prepare("ROLLBACK");
  const savepoint = database.prepare("SAVEPOINT one_write");
  const release = database.prepare("RELEASE one_write");
  const rollbackToSavepoint = database.prepare("ROLLBACK TO one_write");
  let queue: Waiting[] = [];

  /** Runs one write and returns how to settle it after the commit. Throws if the transaction is lost. */
  function attempt(waiting: Waiting): () => void {
    savepoint.run();
    try {
      const result = waiting.write();
      release.run();
      return () => waiting.resolve(result);
    } catch (error) {
      // On some errors, such as a full disk, SQLite rolls the whole transaction back by itself.
      if (!database.isTransaction) throw error;
      rollbackToSavepoint.run();
      release.run();
      return () => waiting.reject(error);
    }
  }

  function rollbackIfOpen(): void {
    try {
      if (database.isTransaction) rollback.run();
    } catch {
      // SQLite ends the transaction even if it reports an error. The writers get the first error.
    }
  }

  function commitGroup(group: readonly Waiting[]): void {
    const settlements: (() => void)[] = [];
    try {
      begin.run();
      for (const waiting of group) settlements.push(attempt(waiting));
      commit.run();
    } catch (error) {
      rollbackIfOpen();
      for (const waiting of group) waiting.reject(error);
      return;
    }
    for (const settle of settlements) settle();
  }

  function flush(): void {
    let rowCount = 0;
    const end = queue.findIndex((waiting) => {
      rowCount += waiting.rowCount;
      return rowCount > maxRowsPerCommit;
    });
    // A write that is too large for any group runs alone.
    const count = end === -1 ? queue.length : Math.max(1, end);
    const group = queue.slice(0, count);
    queue = queue.slice(count);
    if (queue.length > 0) setImmediate(flush);
    if (group.length > 0) commitGroup(group);
  }

  return {
    run<T>(write: () => T, rowCount = 1): Promise<T> {
      return new Promise<T>((resolve, reject) => {
        if (queue.length === 0) setImmediate(flush);
        queue.push({ write, rowCount, resolve: resolve as (result: unknown) => void, reject });
      });
    },

    drain() {
      while (queue.length > 0) flush();
    },
  };
}
