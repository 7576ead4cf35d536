/**
 * A separate process on an SQLite key store, for what only another process can show. Arguments: the database file, and a tag for the ids of
 * its keys. Inserts, replaces and rotates keys until it ends, four at a time, and prints one line per acknowledgement of the store: `<key
 * id> <revision>`. If the store refuses, prints the reason and exits with code 3.
 */
import { writeSync } from "node:fs";
import { openSqliteKeyStore } from "../../src/adapters/sqlite/key-store.ts";
import { Failure } from "../../src/error/failure.ts";
import { keyRecord } from "./key-record.ts";
import { withEvents } from "./with-events.ts";

const [path = "", tag = ""] = process.argv.slice(2);
const store = withEvents(await openSqliteKeyStore({ path, clock: Date.now }));
const acknowledge = (keyId: string, revision: number) => writeSync(1, `${keyId} ${revision}\n`);
const metadata = { padding: "x".repeat(1000) };

async function live(keyId: string): Promise<void> {
  await store.insert("t", keyRecord({ keyId, metadata }), { requestId: keyId.slice(-36), payloadDigest: keyId });
  acknowledge(keyId, 1);
  await store.replace("t", keyRecord({ keyId, metadata, revision: 2 }));
  acknowledge(keyId, 2);
  const revocation = { reason: "superseded", description: "" } as const;
  await store.rotate("t", keyRecord({ keyId, metadata, revision: 3, revocation }), keyRecord({ keyId: `${keyId}-successor` }));
  acknowledge(keyId, 3);
  acknowledge(`${keyId}-successor`, 1);
}

try {
  for (let index = 0; ; index += 4) await Promise.all([0, 1, 2, 3].map((offset) => live(`${tag}-${index + offset}`)));
} catch (error) {
  writeSync(1, `refused ${error instanceof Failure ? error.reason : String(error)}\n`);
  process.exitCode = 3;
}
