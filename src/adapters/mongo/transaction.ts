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
 * Runs `body`, whose operations take the session, in a transaction and commits it; again from the start if the server says that this can
 * help, as after a write conflict. Where `body` changed nothing, the commit still waits until a majority has what it read. Rejects with
 * what the body or the commit threw, or with the signal's reason once it aborts: then nobody knows whether the commit will have happened.
 *
 * Not the driver's `withTransaction`, which takes no deadline and tries for two minutes.
 */
export async function inTransaction<T>(client: MongoClient, signal: AbortSignal, body: (session: ClientSession) => Promise<T>): Promise<T> {
  // A commit cannot be aborted; the time-outs of the client end it, without anybody waiting.
  return Promise.race([aborted(signal), attempts(client, signal, body)]);
}

async function attempts<T>(client: MongoClient, signal: AbortSignal, body: (session: ClientSession) => Promise<T>): Promise<T> {
  // Ends with the block, and with it a transaction that is still open.
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

/** Commits again if the outcome is not known. This changes nothing if the commit had happened. */
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

/** A transaction whose connection was lost before its commit is undone by the server. */
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
