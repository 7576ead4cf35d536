import { expect, test } from "vitest";
import { keyRecord } from "../../support/key-record.ts";
import type { KeyStoreContext } from "../key-store.ts";

const superseded = { reason: "superseded", description: "" } as const;

export function describeServerSecrets(context: KeyStoreContext): void {
  test("a store with keys accepts the first secret, and then those that were current before or replace one that was", async () => {
    const { store, reopen } = await context.openAnother();
    expect(await store.acceptSecrets({ current: "1111", retired: [] })).toBe("accepted");
    await store.insert(context.newTenant(), keyRecord(), null);
    expect(await store.acceptSecrets({ current: "1111", retired: ["9999"] })).toBe("accepted");
    expect(await store.acceptSecrets({ current: "2222", retired: [] })).toBe("refused");
    expect(await store.acceptSecrets({ current: "2222", retired: ["3333"] })).toBe("refused");
    // A retired secret that was never current proves nothing, and a refused one was not added.
    expect(await store.acceptSecrets({ current: "9999", retired: [] })).toBe("refused");
    expect(await store.acceptSecrets({ current: "3333", retired: ["2222"] })).toBe("refused");
    expect(await store.acceptSecrets({ current: "2222", retired: ["3333", "1111"] })).toBe("added");
    expect(await store.acceptSecrets({ current: "2222", retired: [] })).toBe("accepted");
    expect(await store.acceptSecrets({ current: "1111", retired: ["2222"] })).toBe("accepted");
    expect(await store.acceptSecrets({ current: "2222", retired: ["1111"] })).toBe("accepted");
    // Keys of 2222 are not found, as long as it is not listed.
    expect(await store.acceptSecrets({ current: "1111", retired: [] })).toBe("older");
    expect(await store.acceptSecrets({ current: "1111", retired: [] })).toBe("older");
    expect(await store.acceptSecrets({ current: "4444", retired: ["1111"] })).toBe("older");
    expect(await store.acceptSecrets({ current: "4444", retired: ["1111"] })).toBe("older");
    if (reopen === undefined) return;
    await store.close();
    const again = await reopen();
    expect(await again.acceptSecrets({ current: "3333", retired: [] })).toBe("refused");
    expect(await again.acceptSecrets({ current: "4444", retired: ["1111", "2222"] })).toBe("accepted");
    // The one that became current last is in force now.
    expect(await again.acceptSecrets({ current: "2222", retired: [] })).toBe("older");
  });

  test("a store without keys accepts any secret, and forgets those before it", async () => {
    const { store } = await context.openAnother();
    const tenant = context.newTenant();
    expect(await store.acceptSecrets({ current: "1111", retired: [] })).toBe("accepted");
    // A limit of an actor is no key.
    await store.insert(tenant, keyRecord({ keyId: "B", kind: "actor_limit", revocation: superseded }), null);
    expect(await store.acceptSecrets({ current: "2222", retired: [] })).toBe("replaced");
    expect(await store.acceptSecrets({ current: "2222", retired: [] })).toBe("accepted");
    expect(await store.acceptSecrets({ current: "3333", retired: ["2222"] })).toBe("accepted");
    await store.insert(tenant, keyRecord({ kind: "imported" }), null);
    expect(await store.acceptSecrets({ current: "1111", retired: [] })).toBe("refused");
  });

  test("a store with keys and without marks remembers all secrets of the first start, so that each of them starts it", async () => {
    const { store } = await context.openAnother();
    await store.insert(context.newTenant(), keyRecord(), null);
    expect(await store.acceptSecrets({ current: "2222", retired: ["1111"] })).toBe("added");
    expect(await store.acceptSecrets({ current: "1111", retired: [] })).toBe("older");
    expect(await store.acceptSecrets({ current: "3333", retired: [] })).toBe("refused");
  });
}
