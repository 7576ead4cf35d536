import { MongoBulkWriteError, MongoError, MongoInvalidArgumentError } from "mongodb";
import { Failure } from "../../error/failure.ts";

// Codes of the server, https://www.mongodb.com/docs/manual/reference/error-codes/
const DuplicateKey = 11000;
/** BadValue, FailedToParse, TypeMismatch, DocumentValidationFailure, BSONObjectTooLarge: no retry will help. */
const refusals: ReadonlySet<unknown> = new Set([2, 9, 14, 121, 10334]);

/** The deadline of one operation passed. */
export class StoreTimeoutError extends Error {
  // A getter: the driver copies an error's own properties onto its own errors, which have such a getter themselves.
  override get name(): string {
    return "StoreTimeoutError";
  }
}

/** True for a write that another document with the same unique key was in the way of. */
export function isDuplicateKey(error: unknown): boolean {
  return error instanceof MongoError && error.code === DuplicateKey;
}

/** True if an unordered bulk write did all it was asked but for documents that were in the way. */
export function isOnlyDuplicates(error: unknown): boolean {
  // The driver throws the same class for time-outs and lost connections; then there may be no error of a single write at all.
  if (!(error instanceof MongoBulkWriteError) || error.result.getWriteConcernError() !== undefined) return false;
  const writeErrors = error.result.getWriteErrors();
  return writeErrors.length > 0 && writeErrors.every(({ code }) => code === DuplicateKey);
}

/**
 * True for an error of the connection's socket. The driver passes it on unchanged if writing to the socket fails at once, as it does on the
 * first use of a connection whose server was killed a moment ago; it neither makes a MongoError of it nor tries again.
 */
export function isSocketError(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof TypeError || !("code" in error) || typeof error.code !== "string") return false;
  return "syscall" in error || /^ERR_(STREAM|SOCKET|SSL|TLS)_/.test(error.code);
}

/**
 * What the store's callers get for an error of the driver: STORE_UNAVAILABLE for time-outs, servers that cannot be reached, lost connections, servers that have no
 * primary, refuse the credentials or the write concern, and for a client that was closed; a plain Error for data that the server
 * refuses, which is our own fault. Other errors pass as they are. Messages of the driver name hosts, never the URI or its password.
 */
export function storeError(error: unknown): unknown {
  if (!(error instanceof MongoError)) {
    return error instanceof StoreTimeoutError || isSocketError(error) ? new Failure("STORE_UNAVAILABLE", { cause: error }) : error;
  }
  if (error instanceof MongoInvalidArgumentError || refusals.has(error.code)) {
    return new Error("the key store refused an operation", { cause: error });
  }
  // An error of a bulk write holds all its documents, which are too much for a log.
  return new Failure("STORE_UNAVAILABLE", { cause: error instanceof MongoBulkWriteError ? new Error(error.message) : error });
}
