import { randomBytes } from "node:crypto";
import { Binary, type Db } from "mongodb";
import { tokenSaltBytes } from "../../ports/key-store.ts";
import { isDuplicateKey } from "./errors.ts";

interface SaltDocument {
  readonly _id: "token_salt";
  readonly value: Binary;
}

/** The store's salt, made by whoever asks first. */
export async function readTokenSalt(db: Db, signal: AbortSignal): Promise<Uint8Array> {
  const salts = db.collection<SaltDocument>("store");
  const known = await salts.findOne({ _id: "token_salt" }, { signal });
  if (known !== null) return known.value.value();
  try {
    await salts.insertOne({ _id: "token_salt", value: new Binary(randomBytes(tokenSaltBytes)) });
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
  }
  return readTokenSalt(db, signal);
}
