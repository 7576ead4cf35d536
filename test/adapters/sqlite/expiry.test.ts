import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { openSqliteKeyStore } from "../../../src/adapters/sqlite/key-store.ts";
import { keyRecord } from "../../support/key-record.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { auditEvent } from "../../support/with-events.ts";

const dayMs = 86_400_000;

test("audit events and request ids end at their age, those of every tenant, and nothing of them is left", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "keys.db");
  let nowMs = Date.now();
  const store = await openSqliteKeyStore({ path, clock: () => nowMs, auditRetentionMs: 30 * dayMs, expiryIntervalMs: 10 });
  const request = { requestId: "r", payloadDigest: "d" };
  await store.insert("t", keyRecord(), request, auditEvent({ timeMs: nowMs, keyIds: [keyRecord().keyId] }));
  for (const tenant of ["t", "u"]) {
    const events = Array.from({ length: 200 }, (_, index) => auditEvent({ timeMs: nowMs, keyIds: ["A", `K${index}`] }));
    await store.audit.append(tenant, events);
  }

  nowMs += 7 * dayMs;
  expect((await store.insert("t", keyRecord({ keyId: "B" }), request, auditEvent())).outcome).toBe("request_id_used");
  nowMs += 1;
  const again = async () => (await store.insert("t", keyRecord({ keyId: "B" }), request, auditEvent({ timeMs: nowMs }))).outcome;
  await expect.poll(again).toBe("inserted");
  expect(await store.audit.list("u", { limit: 1000 })).toHaveLength(200);

  nowMs += 23 * dayMs;
  await expect.poll(() => store.audit.list("u", { limit: 1000 })).toEqual([]);
  await expect.poll(() => store.audit.list("t", { limit: 1000 })).toHaveLength(1);
  expect(await store.audit.list("t", { keyId: "A", limit: 1000 })).toEqual([]);
  await store.close();
  const database = new DatabaseSync(path);
  expect(database.prepare("SELECT count(*) AS count FROM audit_event_keys").get()).toEqual({ count: 0 });
  database.close();
});
