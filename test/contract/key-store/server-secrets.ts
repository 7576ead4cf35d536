import { expect, test } from "vitest";
import type { KeyStoreContext } from "../key-store.ts";

export function describeServerSecrets(context: KeyStoreContext): void {
  test("a store accepts the first secret, and then those that were current before or replace one that was", async () => {
    const { store, reopen } = await context.openAnother();
    expect(await store.acceptSecret("1111", [])).toBe(true);
    expect(await store.acceptSecret("1111", ["9999"])).toBe(true);
    expect(await store.acceptSecret("2222", [])).toBe(false);
    expect(await store.acceptSecret("2222", ["3333"])).toBe(false);
    // A retired secret that was never current proves nothing, and a refused one was not added.
    expect(await store.acceptSecret("9999", [])).toBe(false);
    expect(await store.acceptSecret("3333", ["2222"])).toBe(false);
    expect(await store.acceptSecret("2222", ["3333", "1111"])).toBe(true);
    expect(await store.acceptSecret("2222", [])).toBe(true);
    expect(await store.acceptSecret("1111", [])).toBe(true);
    if (reopen === undefined) return;
    await store.close();
    const again = await reopen();
    expect(await again.acceptSecret("3333", [])).toBe(false);
    expect(await again.acceptSecret("2222", [])).toBe(true);
  });
}
