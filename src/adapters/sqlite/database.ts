import { chmodSync, closeSync, openSync, realpathSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Failure } from "../../error/failure.ts";
import { StartError } from "../../error/start-error.ts";
import { systemReason } from "../../error/system-reason.ts";
import { migrate } from "./schema.ts";

/** File mode: only the owner may read and write. */
const ownerOnly = 0o600;

const defaultCacheMib = 64;
/** 2 GiB less 64 KiB, the most that SQLite maps. */
const maxMappedBytes = 0x7fff_0000;

// Primary result codes, https://www.sqlite.org/rescode.html
const SQLITE_BUSY = 5;
const SQLITE_TOOBIG = 18;
const SQLITE_CONSTRAINT = 19;
const SQLITE_MISMATCH = 20;

/**
 * Opens the database file, and creates it (mode 0600) if it does not exist. The folder must exist. Calls `onUpdate` before it updates the
 * file of an older version.
 *
 * Commits move the log (-wal) to the file only if the checkpoints of checkpoint.ts do not keep up, or if SQLite is too old for these.
 *
 * With many keys, almost every read of a random key needs a page that no cache of this process holds. A page that is mapped costs no system
 * call, no copy and no look-up in SQLite's page cache: with two million keys, a read costs 1 us more than with 10,000 if the file is
 * mapped, 3 us more if the page cache holds it all, and 4 us more if the page cache has to read it. SQLite maps at most this much of the
 * file. Mapped pages are the operating system's own cache, not memory of this process. It drops them when it needs the memory.
 *
 * `synchronous=FULL` makes an acknowledged write survive a power failure. The exclusive lock is held until the database is closed or the
 * process ends, because this process's cache would not see changes that a second process makes.
 */
export function openDatabase(path: string, cacheMib = defaultCacheMib, onUpdate: (file: string) => void = () => {}): DatabaseSync {
  // An absolute path, so that SQLite treats names like ":memory:" or "file:x" as files too.
  const file = resolve(path);
  let database: DatabaseSync | undefined;
  try {
    // SQLite gives the files beside the database (-wal) the same mode.
    closeSync(openSync(file, "a", ownerOnly));
    chmodSync(file, ownerOnly);
    database = new DatabaseSync(file);
    database.exec(
      "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 8000",
    );
    database.exec(`PRAGMA cache_size = -${cacheMib * 1024}; PRAGMA mmap_size = ${maxMappedBytes}`);
    migrate(database, () => onUpdate(file));
    return database;
  } catch (error) {
    database?.close();
    if (sqliteCode(error) === SQLITE_BUSY) {
      throw new StartError(`${file}: another Keywright process is using this database; stop it, or use another file`, { cause: error });
    }
    throw new StartError(`${file}: cannot be used as the key store: ${(error as Error).message}`, { cause: error });
  }
}

const whatToDo = "put it back, or restore a backup before a restart";

/**
 * Returns a function that throws STORE_UNAVAILABLE if the open file or its log (-wal) was removed or replaced. SQLite writes on into files
 * that nobody finds any more, and checks this only in other modes than WAL.
 */
export function createFileIdentityCheck(path: string): () => void {
  const file = resolve(path);
  // The log lies beside the file that a symbolic link stands for.
  const files = [file, `${realpathSync(file)}-wal`];
  const opened = files.map(identityOf);
  return () => {
    const moved = files.find((each, index) => identityOf(each) !== opened[index]);
    if (moved !== undefined) throw unavailable(`${moved}: was removed or replaced; ${whatToDo}`);
  };
}

function identityOf(file: string): string | null {
  try {
    const status = statSync(file, { throwIfNoEntry: false });
    return status === undefined ? null : `${status.dev} ${status.ino}`;
  } catch (error) {
    throw unavailable(`${file}: ${systemReason(error)}`);
  }
}

function unavailable(reason: string): Failure {
  return new Failure("STORE_UNAVAILABLE", { cause: new Error(reason) });
}

/**
 * Maps an error of SQLite to what the store's callers get. Returns STORE_UNAVAILABLE for files that cannot be read or written, and a plain
 * Error for data that the schema refuses, because that is our own fault and a retry will not help. Other errors pass unchanged.
 */
export function storeError(error: unknown): unknown {
  const code = sqliteCode(error);
  if (code === undefined) return error;
  if (code === SQLITE_TOOBIG || code === SQLITE_CONSTRAINT || code === SQLITE_MISMATCH) {
    return new Error("the key store's schema refused a write", { cause: error });
  }
  return new Failure("STORE_UNAVAILABLE", { cause: error });
}

/** Returns undefined for an error that SQLite did not report. */
function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return undefined;
  return error.errcode & 0xff;
}
