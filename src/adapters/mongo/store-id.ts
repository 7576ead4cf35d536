import { randomUUID } from "node:crypto";
import type { Db } from "mongodb";
import { isDuplicateKey } from "./errors.ts";

interface StoreDocument {
  readonly _id: "store";
  readonly id: string;
}

/** The store's own id, made by whoever asks first. */
export async function readStoreId(db: Db, signal: AbortSignal): Promise<string> {
  const stores = db.collection<StoreDocument>("store");
  const known = await stores.findOne({ _id: "store" }, { signal });
  if (known !== null) return known.id;
  try {
    await stores.insertOne({ _id: "store", id: randomUUID() });
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
  }
  return readStoreId(db, signal);
}
