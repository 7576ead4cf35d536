import { describe, expect, test } from "vitest";
import type { SharedKeyStore } from "../../src/ports/shared-key-store.ts";
import { describeCacheGeneration } from "./cache-generation.ts";

export interface SharedStoreWorld {
  /** Opens the same store as another process. */
  open(): Promise<SharedKeyStore>;
  /** Removes what the store kept, after all its processes have closed it. */
  dispose(): Promise<void>;
}

/** The contract of every shared key store beyond that of a key store: src/ports/shared-key-store.ts as tests. */
export function describeSharedKeyStore(name: string, createWorld: () => Promise<SharedStoreWorld>): void {
  describe(`store that processes share: ${name}`, () => {
    test("its id and salt are the same for all processes that create it at once, and differ for another store", async () => {
      const [world, elsewhere] = [await createWorld(), await createWorld()];
      const stores = await Promise.all([world.open(), world.open(), world.open(), elsewhere.open()]);
      const ids = stores.map(({ storeId }) => storeId);
      expect(new Set(ids.slice(0, 3)).size).toBe(1);
      expect(ids[0]).not.toBe("");
      expect(ids[3]).not.toBe(ids[0]);
      const salts = stores.map(({ tokenSalt }) => Buffer.from(tokenSalt).toString("hex"));
      expect(new Set(salts.slice(0, 3)).size).toBe(1);
      expect(salts[3]).not.toBe(salts[0]);
      for (const store of stores) await store.close();
      await world.dispose();
      await elsewhere.dispose();
    });
  });

  describeCacheGeneration(name, async () => {
    const world = await createWorld();
    const stores: SharedKeyStore[] = [];
    return {
      async open() {
        const store = await world.open();
        stores.push(store);
        return { generations: store.cacheGeneration, cutOff: () => store.close() };
      },
      async dispose() {
        for (const store of stores) await store.close();
        await world.dispose();
      },
    };
  });
}
