import { randomBytes, randomUUID } from "node:crypto";
import type { Db } from "mongodb";
import { judgeSecret } from "../../core/secret-marks.ts";
import { type SecretAcceptance, tokenSaltBytes } from "../../ports/key-store.ts";
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

/** `acceptSecret` of the port. */
export async function acceptSecretMark(
  db: Db,
  current: string,
  retired: readonly string[],
  signal: AbortSignal,
): Promise<SecretAcceptance> {
  const stores = db.collection<SecretMarksDocument>("store");
  const options: WriteOptions = { signal };
  const marks = [...retired, current];
  const addCurrent = async (): Promise<SecretAcceptance | null> => {
    // One document, so that judging and adding are one step.
    const known = { _id: "secret_marks", marks: { $in: marks } } as const;
    const others = { $filter: { input: "$marks", cond: { $ne: ["$$this", current] } } };
    const before = await stores.findOneAndUpdate(known, [{ $set: { marks: { $concatArrays: [others, [current]] } } }], options);
    return before === null ? null : judgeSecret(before.marks, current, retired);
  };
  const early = await addCurrent();
  if (early !== null) return early;
  const key = await collectionsOf(db).keys.findOne({ kind: { $in: ["issued", "imported"] } }, { signal, projection: { _id: 1 } });
  try {
    await stores.insertOne({ _id: "secret_marks", marks }, options);
    return key === null ? "accepted" : "added";
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
  }
  // Another process may have made it in between.
  const late = await addCurrent();
  if (late !== null) return late;
  if (key !== null) return "refused";
  await stores.updateOne({ _id: "secret_marks" }, { $set: { marks } }, options);
  return "replaced";
}
