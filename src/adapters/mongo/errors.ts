import { MongoBulkWriteError, MongoError, MongoInvalidArgumentError } from "mongodb";
import { Failure } from "../../error/failure.ts";

// Server error codes, https://www.mongodb.com/docs/manual/reference/error-codes/
const DuplicateKey = 11000;
const Unauthorized = 13;
/** BadValue, FailedToParse, TypeMismatch, DocumentValidationFailure, BSONObjectTooLarge: no retry will help. */
const refusals: ReadonlySet<unknown> = new Set([2, 9, 14, 121, 10334]);

/** The deadline of one operation passed. */
export class StoreTimeoutError extends Error {
  // A getter, because the driver copies an error's own properties to its own errors, and those have such a getter too.
  override get name(): string {
    return "StoreTimeoutError";
  }
}

/** Returns true if the write failed because another document has the same unique key. */
export function isDuplicateKey(error: unknown): boolean {
  return error instanceof MongoError && error.code === DuplicateKey;
}

/** Returns true if an unordered bulk write did everything except for documents whose unique key exists. */
export function isOnlyDuplicates(error: unknown): boolean {
  // The driver throws the same class for time-outs and lost connections; then there may be no error of a single write.
  if (!(error instanceof MongoBulkWriteError) || error.result.getWriteConcernError() !== undefined) return false;
  const writeErrors = error.result.getWriteErrors();
  return writeErrors.length > 0 && writeErrors.every(({ code }) => code === DuplicateKey);
}

/**
 * Returns true for an error of the connection's socket. If writing to the socket fails at once, the driver passes the error on unchanged:
 * it neither makes a MongoError of it nor retries. This happens on the first use of a connection whose server was just killed.
 */
export function isSocketError(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof TypeError || !("code" in error) || typeof error.code !== "string") return false;
  return "syscall" in error || /^ERR_(STREAM|SOCKET|SSL|TLS)_/.test(error.code);
}

/**
 * Describes the error if the MongoDB user may not run a command; returns null for any other error. The server's message quotes the whole
 * command, with the documents of a write, so the description has only the name of the command, and the roles that the user needs.
 */
export function missingRight(error: Error): string | null {
  if (!(error instanceof MongoError) || error.code !== Unauthorized) return null;
  const text = error.message.replace(/ \{ (\w+)[\s\S]*/, " $1");
  if (text.endsWith("requires authentication")) return `${text}; KEYWRIGHT_STORE must name a user and its password`;
  return `${text}; the MongoDB user needs the role readWrite on the database, and dbAdmin too to change KEYWRIGHT_AUDIT_RETENTION`;
}

/**
 * Maps an error of the driver to what the store's callers get. Returns STORE_UNAVAILABLE for time-outs, unreachable servers, lost
 * connections, servers that have no primary or refuse the credentials or the write concern, and a client that was closed. Returns a plain
 * Error for data that the server refuses, because that is our own fault. Other errors pass unchanged. The driver's messages name hosts,
 * never the URI or its password.
 */
export function storeError(error: unknown): unknown {
  if (!(error instanceof MongoError)) {
    return error instanceof StoreTimeoutError || isSocketError(error) ? new Failure("STORE_UNAVAILABLE", { cause: error }) : error;
  }
  if (error instanceof MongoInvalidArgumentError || refusals.has(error.code)) {
    return new Error("the key store refused an operation", { cause: error });
  }
  const right = missingRight(error);
  if (right !== null) return new Failure("STORE_UNAVAILABLE", { cause: new Error(right) });
  // A bulk write error holds all its documents, which is too much for a log.
  return new Failure("STORE_UNAVAILABLE", { cause: error instanceof MongoBulkWriteError ? new Error(error.message) : error });
}
