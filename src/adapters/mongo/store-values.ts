import { randomBytes, randomUUID } from "node:crypto";
import type { Db } from "mongodb";
import { tokenSaltBytes } from "../../ports/key-store.ts";
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
