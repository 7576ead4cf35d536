import { randomBytes, randomUUID } from "node:crypto";
import type { Db } from "mongodb";
import { tokenSaltBytes } from "../../ports/key-store.ts";
import type { WriteOptions } from "./database.ts";
import { isDuplicateKey } from "./errors.ts";

interface StoreDocument {
  readonly _id: "store" | "token_salt";
  /** The value. Named after the first value that existed. */
  readonly id: string;
}

/** The store's own id. */
export function readStoreId(db: Db, signal: AbortSignal): Promise<string> {
  return readOrMake(db, "store", randomUUID, signal);
}

export async function readTokenSalt(db: Db, signal: AbortSignal): Promise<Uint8Array> {
  return Buffer.from(await readOrMake(db, "token_salt", () => randomBytes(tokenSaltBytes).toString("base64"), signal), "base64");
}

/** Values that belong to the store and never change. The first process that asks for one creates it. */
async function readOrMake(db: Db, name: StoreDocument["_id"], make: () => string, signal: AbortSignal): Promise<string> {
  const stores = db.collection<StoreDocument>("store");
  const known = await stores.findOne({ _id: name }, { signal });
  if (known !== null) return known.id;
  try {
    await stores.insertOne({ _id: name, id: make() });
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
  }
  return readOrMake(db, name, make, signal);
}

interface SecretMarksDocument {
  readonly _id: "secret_marks";
  readonly marks: readonly string[];
}

/** `acceptSecret` of the port. One document, so that judging and adding are one step. */
export async function acceptSecretMark(db: Db, current: string, retired: readonly string[], signal: AbortSignal): Promise<boolean> {
  const stores = db.collection<SecretMarksDocument>("store");
  const options: WriteOptions = { signal };
  const isAdded = async () => {
    const known = { _id: "secret_marks", marks: { $in: [current, ...retired] } } as const;
    return (await stores.updateOne(known, { $addToSet: { marks: current } }, options)).matchedCount === 1;
  };
  if (await isAdded()) return true;
  try {
    await stores.insertOne({ _id: "secret_marks", marks: [current] }, options);
    return true;
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
    // Another process may have made it in between.
    return isAdded();
  }
}
