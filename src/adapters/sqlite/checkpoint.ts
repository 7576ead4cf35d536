import type { DatabaseSync } from "node:sqlite";
import { prepareCacheSize } from "./cache-size.ts";

/** Pages in the log at which they are moved to the file: SQLite's default. With 8192 a checkpoint takes up to 100 ms of CPU. */
const maxPages = 1000;

/** Moves the pages of the log (-wal) to the file. SQLite would do it in the commit that passes the limit, which doubles its time. */
export interface Checkpoint {
  /** Call it outside transactions. */
  isDue(): boolean;
  run(): void;
}

/** Each checkpoint also fits the cache of pages, as the file may have grown. `sqliteVersion` is that of the library. */
export function prepareCheckpoint(database: DatabaseSync, sqliteVersion = process.versions.sqlite ?? "0"): Checkpoint {
  if (!showsPages(sqliteVersion)) return leaveToCommits(database);
  const fitCache = prepareCacheSize(database);
  fitCache();
  const select = database.prepare("PRAGMA wal_checkpoint(NOOP)");
  const checkpoint = database.prepare("PRAGMA wal_checkpoint(PASSIVE)");
  return {
    isDue() {
      try {
        const { log, checkpointed } = select.get() as { log: number; checkpointed: number };
        return log - checkpointed >= maxPages;
      } catch {
        // The file is lost. Callers learn that from their reads and writes.
        return false;
      }
    },
    run() {
      try {
        checkpoint.get();
        fitCache();
      } catch {
        // As in SQLite's own checkpoints: the pages stay in the log, which is as safe, and the next commit leads to another attempt.
      }
    },
  };
}

/**
 * Before 3.51, NOOP means PASSIVE: the question would make a checkpoint after each commit, which takes two thirds of the inserts per
 * second.
 */
function showsPages(sqliteVersion: string): boolean {
  const [major = 0, minor = 0] = sqliteVersion.split(".").map(Number);
  return major > 3 || (major === 3 && minor >= 51);
}

function leaveToCommits(database: DatabaseSync): Checkpoint {
  database.exec(`PRAGMA wal_autocheckpoint = ${maxPages}`);
  return { isDue: () => false, run() {} };
}
