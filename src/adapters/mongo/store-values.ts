import { randomBytes, randomUUID } from "node:crypto";
import type { Db } from "mongodb";
import { judgeSecrets, type SecretAcceptance, type SecretMarks } from "../../core/secret-marks.ts";
import { tokenSaltBytes } from "../../ports/key-store.ts";
import type { WriteOptions } from "./database.ts";
import { isDuplicateKey } from "./errors.ts";
import { collectionsOf } from "./schema.ts";

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

/** `acceptSecrets` of the port. */
export async function acceptSecretMarks(db: Db, secrets: SecretMarks, signal: AbortSignal): Promise<SecretAcceptance> {
  const stores = db.collection<SecretMarksDocument>("store");
  const options: WriteOptions = { signal };
  const known = await stores.findOne({ _id: "secret_marks" }, { signal });
  const key = await collectionsOf(db).keys.findOne({ kind: { $in: ["issued", "imported"] } }, { signal, projection: { _id: 1 } });
  const { acceptance, marks } = judgeSecrets(known?.marks ?? null, secrets, key !== null);
  if (marks.join() === known?.marks.join()) return acceptance;
  try {
    if (known === null) {
      await stores.insertOne({ _id: "secret_marks", marks }, options);
      return acceptance;
    }
    const { matchedCount } = await stores.updateOne({ _id: "secret_marks", marks: known.marks }, { $set: { marks } }, options);
    if (matchedCount === 1) return acceptance;
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
  }
  // Another process was first.
  return acceptSecretMarks(db, secrets, signal);
}
