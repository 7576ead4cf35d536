import { setTimeout as sleep } from "node:timers/promises";
import { type ClientSession, type MongoClient, MongoError, type TransactionOptions } from "mongodb";
import { isSocketError } from "./errors.ts";

const transactionOptions: TransactionOptions = {
  readConcern: { level: "snapshot" },
  readPreference: "primary",
  writeConcern: { w: "majority", journal: true },
};
const firstPauseMs = 2;
const maxPauseMs = 100;

/**
 * Runs `body` in a transaction and commits it. The operations of `body` must use the session. Starts over if the server says that this can
 * help, for example after a write conflict. If `body` changed nothing, the commit still waits until a majority has what it read. Rejects
 * with the error of `body` or of the commit, or with the signal's reason once it aborts; after an abort it is unknown whether the
 * transaction will be committed.
 *
 * This replaces the driver's `withTransaction`, which takes no deadline and retries for two minutes.
 */
export async function inTransaction<T>(client: MongoClient, signal: AbortSignal, body: (session: ClientSession) => Promise<T>): Promise<T> {
  // A commit cannot be aborted. The client's time-outs end it, and no caller waits for that.
  return Promise.race([aborted(signal), attempts(client, signal, body)]);
}

async function attempts<T>(client: MongoClient, signal: AbortSignal, body: (session: ClientSession) => Promise<T>): Promise<T> {
  // The session ends with the block, and so does a transaction that is still open.
  await using session = client.startSession({ causalConsistency: false });
  for (let attempt = 0; ; attempt += 1) {
    session.startTransaction(transactionOptions);
    try {
      const result = await body(session);
      await commit(session, signal);
      return result;
    } catch (error) {
      if (signal.aborted || !isTransient(error)) throw error;
      if (session.inTransaction()) await session.abortTransaction();
    }
    await sleep(Math.min(maxPauseMs, firstPauseMs * 2 ** attempt), undefined, { signal });
  }
}

/** Commits again if the outcome is unknown. If the first commit succeeded, this changes nothing. */
async function commit(session: ClientSession, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      await session.commitTransaction();
      return;
    } catch (error) {
      if (signal.aborted || !(hasLabel(error, "UnknownTransactionCommitResult") || isSocketError(error))) throw error;
    }
  }
}

/** If a connection is lost before the commit, the server rolls the transaction back. */
function isTransient(error: unknown): boolean {
  return hasLabel(error, "TransientTransactionError") || isSocketError(error);
}

function hasLabel(error: unknown, label: string): boolean {
  return error instanceof MongoError && error.hasErrorLabel(label);
}

/** Rejects with the signal's reason once it aborts. */
export function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
