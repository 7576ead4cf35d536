import { expect, test } from "vitest";
import { keyRecord } from "../../support/key-record.ts";
import type { KeyStoreContext } from "../key-store.ts";

const superseded = { reason: "superseded", description: "" } as const;

export function describeServerSecrets(context: KeyStoreContext): void {
  test("a store with keys accepts the first secret, and then those that were current before or replace one that was", async () => {
    const { store, reopen } = await context.openAnother();
    expect(await store.acceptSecret("1111", [])).toBe("accepted");
    await store.insert(context.newTenant(), keyRecord(), null);
    expect(await store.acceptSecret("1111", ["9999"])).toBe("accepted");
    expect(await store.acceptSecret("2222", [])).toBe("refused");
    expect(await store.acceptSecret("2222", ["3333"])).toBe("refused");
    // A retired secret that was never current proves nothing, and a refused one was not added.
    expect(await store.acceptSecret("9999", [])).toBe("refused");
    expect(await store.acceptSecret("3333", ["2222"])).toBe("refused");
    expect(await store.acceptSecret("2222", ["3333", "1111"])).toBe("added");
    expect(await store.acceptSecret("2222", [])).toBe("accepted");
    expect(await store.acceptSecret("1111", ["2222"])).toBe("accepted");
    expect(await store.acceptSecret("2222", ["1111"])).toBe("accepted");
    // Keys of 2222 would not be found.
    expect(await store.acceptSecret("1111", [])).toBe("older");
    expect(await store.acceptSecret("1111", [])).toBe("accepted");
    if (reopen === undefined) return;
    await store.close();
    const again = await reopen();
    expect(await again.acceptSecret("3333", [])).toBe("refused");
    expect(await again.acceptSecret("2222", ["9999"])).toBe("older");
    expect(await again.acceptSecret("4444", ["1111"])).toBe("older");
    expect(await again.acceptSecret("4444", ["1111", "2222"])).toBe("accepted");
  });

  test("a store without keys accepts any secret, and forgets those before it", async () => {
    const { store } = await context.openAnother();
    const tenant = context.newTenant();
    expect(await store.acceptSecret("1111", [])).toBe("accepted");
    // A limit of an actor is no key.
    await store.insert(tenant, keyRecord({ keyId: "B", kind: "actor_limit", revocation: superseded }), null);
    expect(await store.acceptSecret("2222", [])).toBe("replaced");
    expect(await store.acceptSecret("2222", [])).toBe("accepted");
    await store.insert(tenant, keyRecord({ kind: "imported" }), null);
    expect(await store.acceptSecret("1111", [])).toBe("refused");
  });

  test("a store with keys and without marks remembers all secrets of the first start, so that each of them starts it", async () => {
    const { store } = await context.openAnother();
    await store.insert(context.newTenant(), keyRecord(), null);
    expect(await store.acceptSecret("2222", ["1111"])).toBe("added");
    expect(await store.acceptSecret("1111", [])).toBe("older");
    expect(await store.acceptSecret("3333", [])).toBe("refused");
  });
}
