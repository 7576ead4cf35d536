import type { DatabaseSync } from "node:sqlite";
import { prepareCheckpoint } from "./checkpoint.ts";

/**
 * Approximate maximum rows per transaction, about 15 ms of work for new keys, each of which changes some ten pages of indexes. Then the
 * transaction is committed and the event loop gets its turn. Larger transactions add no more keys a second (bench/tail.ts).
 */
export const maxRowsPerCommit = 64;

/** The row count of a write that runs alone, and so only once. */
export const alone = Number.POSITIVE_INFINITY;

export interface GroupCommit {
  /**
   * Runs `write` in a transaction and resolves with its result once that is on the disk. If the write throws, its effects are undone.
   * Rejects with the error of the write or of SQLite. If the commit failed, the write may still exist after a restart. `rowCount` is the
   * amount of work.
   *
   * A write may run twice, so it must change nothing but the database, unless its row count is `alone`.
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
 * Returns a function that runs the writes of a group in a transaction and commits it. It returns how to settle each write, and throws if
 * the transaction is lost.
 *
 * If a write throws, which is rare, the transaction is undone and all run again, each with a savepoint, so that one that fails does not
 * affect the others. Savepoints for all would cost a tenth of an insert: SQLite copies each page that a savepoint changes, and copies
 * beyond 64 KiB go to a file.
 */
function prepareGroupRun(database: DatabaseSync, check: () => void): (group: readonly Waiting[]) => (() => void)[] {
  const begin = database.prepare("BEGIN IMMEDIATE");
  const commit = database.prepare("COMMIT");
  const rollback = database.prepare("ROLLBACK");
  const savepoint = database.prepare("SAVEPOINT one_write");
  const release = database.prepare("RELEASE one_write");
  const rollbackToSavepoint = database.prepare("ROLLBACK TO one_write");

  function runOne(waiting: Waiting): () => void {
    const result = waiting.write();
    return () => waiting.resolve(result);
  }

  function runInSavepoint(waiting: Waiting): () => void {
    savepoint.run();
    try {
      const settle = runOne(waiting);
      release.run();
      return settle;
    } catch (error) {
      if (!database.isTransaction) throw error;
      rollbackToSavepoint.run();
      release.run();
      return () => waiting.reject(error);
    }
  }

  function runAll(group: readonly Waiting[]): (() => void)[] {
    try {
      return group.map(runOne);
    } catch (error) {
      // On some errors, such as a full disk, SQLite rolls the whole transaction back by itself.
      if (!database.isTransaction || group.length === 1) throw error;
      rollback.run();
      begin.run();
      return group.map(runInSavepoint);
    }
  }

  function rollbackIfOpen(): void {
    try {
      if (database.isTransaction) rollback.run();
    } catch {
      // SQLite ends the transaction even if it reports an error. The writers get the first error.
    }
  }

  return (group) => {
    try {
      begin.run();
      const settlements = runAll(group);
      check();
      commit.run();
      return settlements;
    } catch (error) {
      rollbackIfOpen();
      throw error;
    }
  };
}

/**
 * Lets the writes of one turn of the event loop share a transaction. The sync to the disk is most of a write's cost, and it is paid once
 * for all of them. A checkpoint has a turn of its own, after the writes before it were acknowledged. If `check` throws before a commit,
 * nothing is committed.
 */
export function createGroupCommit(database: DatabaseSync, check: () => void = () => {}): GroupCommit {
  const runGroup = prepareGroupRun(database, check);
  const checkpoint = prepareCheckpoint(database);
  let queue: Waiting[] = [];
  /** Whether a turn will come that writes the queue. */
  let isScheduled = false;

  function schedule(turn: () => void): void {
    isScheduled = true;
    setImmediate(() => {
      isScheduled = false;
      turn();
    });
  }

  function checkpointThenFlush(): void {
    if (!database.isOpen) return;
    checkpoint.run();
    if (queue.length > 0) schedule(flush);
  }

  function commitGroup(group: readonly Waiting[]): void {
    let settlements: (() => void)[];
    try {
      settlements = runGroup(group);
    } catch (error) {
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
    if (group.length === 0) return;
    commitGroup(group);
    if (isScheduled) return;
    if (checkpoint.isDue()) schedule(checkpointThenFlush);
    else if (queue.length > 0) schedule(flush);
  }

  return {
    run<T>(write: () => T, rowCount = 1): Promise<T> {
      return new Promise<T>((resolve, reject) => {
        if (!isScheduled) schedule(flush);
        queue.push({ write, rowCount, resolve: resolve as (result: unknown) => void, reject });
      });
    },

    drain() {
      while (queue.length > 0) flush();
    },
  };
}
