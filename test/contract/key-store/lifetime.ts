import { expect, test } from "vitest";
import { tokenSaltBytes } from "../../../src/ports/key-store.ts";
import { keyRecord } from "../../support/key-record.ts";
import { auditEvent, type StoreWithEvents } from "../../support/with-events.ts";
import type { KeyStoreContext } from "../key-store.ts";

const request = { requestId: "r", payloadDigest: "d" };

/** Calls every method once. */
const calls: Record<string, (store: StoreWithEvents) => Promise<unknown>> = {
  insert: (store) => store.insert("t", keyRecord(), null),
  insertMany: (store) => store.insertMany("t", [{ record: keyRecord(), request: null }]),
  get: (store) => store.get("t", "A"),
  list: (store) => store.list("t", { kind: "issued", nowMs: 0, limit: 1 }),
  replace: (store) => store.replace("t", keyRecord({ revision: 2 })),
  rotate: (store) => store.rotate("t", keyRecord({ revision: 2 }), keyRecord({ keyId: "B" })),
  delete: (store) => store.delete("t", "issued", "A"),
  touch: (store) => store.touch("t", [{ keyId: "A", lastUsedTimeMs: 1 }]),
  "audit.append": (store) => store.audit.append("t", [auditEvent()]),
  "audit.list": (store) => store.audit.list("t", { limit: 1 }),
  acceptSecrets: (store) => store.acceptSecrets({ current: "aaaa", retired: [] }),
  ping: (store) => store.ping(),
};

export function describeLifetime(context: KeyStoreContext): void {
  test("ping resolves", async () => {
    await expect(context.store.ping()).resolves.toBeUndefined();
  });

  test("every store has its own salt", async () => {
    const { store } = await context.openAnother();
    expect(store.tokenSalt).toHaveLength(tokenSaltBytes);
    expect(store.tokenSalt).not.toEqual(context.store.tokenSalt);
  });

  test("a store that is opened again contains everything it acknowledged", async () => {
    const { store, reopen } = await context.openAnother();
    if (reopen === undefined) return;
    await store.insert("t", keyRecord({ keyId: "A" }), request);
    await store.insert("t", keyRecord({ keyId: "B" }), null);
    await store.insert("t", keyRecord({ keyId: "C", kind: "imported" }), null);
    await store.replace("t", keyRecord({ keyId: "A", revision: 2, name: "changed" }));
    await store.rotate("t", keyRecord({ keyId: "B", revision: 2 }), keyRecord({ keyId: "D" }));
    await store.touch("t", [{ keyId: "A", lastUsedTimeMs: 7 }]);
    expect(await store.delete("t", "imported", "C")).toBe(2);
    await store.close();

    const again = await reopen();
    expect(again.tokenSalt).toEqual(store.tokenSalt);
    const changed = keyRecord({ keyId: "A", revision: 2, name: "changed", lastUsedTimeMs: 7 });
    expect(await again.list("t", { kind: "issued", nowMs: 0, limit: 10 })).toEqual([
      changed,
      keyRecord({ keyId: "B", revision: 2 }),
      keyRecord({ keyId: "D" }),
    ]);
    const replay = await again.insert("t", keyRecord({ keyId: "E" }), request);
    expect(replay).toEqual({ outcome: "request_id_used", payloadDigest: "d", record: changed });
    const imported = await again.insert("t", keyRecord({ keyId: "C", kind: "imported" }), null);
    expect(imported.outcome === "inserted" && imported.record.revision).toBeGreaterThan(2);
  });

  test("close lets calls in progress finish", async () => {
    const { store, reopen } = await context.openAnother();
    const inserts = Array.from({ length: 20 }, (_, index) => store.insert("t", keyRecord({ keyId: `K${index + 10}` }), null));
    await store.close();
    expect((await Promise.all(inserts)).map(({ outcome }) => outcome)).toEqual(Array(20).fill("inserted"));
    if (reopen === undefined) return;
    expect(await (await reopen()).list("t", { kind: "issued", nowMs: 0, limit: 100 })).toHaveLength(20);
  });

  test("after close every operation rejects with STORE_UNAVAILABLE, and close resolves a second time", async () => {
    const { store } = await context.openAnother();
    await store.close();
    for (const [name, call] of Object.entries(calls)) {
      await expect(call(store), name).rejects.toMatchObject({ name: "Failure", reason: "STORE_UNAVAILABLE" });
    }
    await expect(store.close()).resolves.toBeUndefined();
  });
}
