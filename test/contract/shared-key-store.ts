import { describe, expect, test } from "vitest";
import type { SharedKeyStore } from "../../src/ports/shared-key-store.ts";
import { keyRecord } from "../support/key-record.ts";
import { withEvents } from "../support/with-events.ts";
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

    test("of processes that start at once on a store with keys but no marks, only those with the same server secret are accepted", async () => {
      const world = await createWorld();
      const stores = await Promise.all(Array.from({ length: 6 }, () => world.open()));
      await withEvents(stores[0] as SharedKeyStore).insert("default", keyRecord(), null);
      const marks = ["1111", "2222", "3333", "1111", "2222", "3333"];
      const answers = await Promise.all(stores.map((store, at) => store.acceptSecrets({ current: marks[at] as string, retired: [] })));
      const acceptedMarks = marks.filter((_, at) => answers[at] !== "refused");
      expect(acceptedMarks).toHaveLength(2);
      expect(new Set(acceptedMarks).size).toBe(1);
      for (const store of stores) await store.close();
      await world.dispose();
    });

    test("processes that start at once on a store without keys are all accepted, and then one of their secrets is in force", async () => {
      const world = await createWorld();
      const stores = await Promise.all(Array.from({ length: 6 }, () => world.open()));
      const marks = ["1111", "2222", "3333"];
      const answers = await Promise.all(stores.map((store, at) => store.acceptSecrets({ current: marks[at % 3] as string, retired: [] })));
      expect(answers).not.toContain("refused");
      await withEvents(stores[0] as SharedKeyStore).insert("default", keyRecord(), null);
      const later = await Promise.all(marks.map((current) => stores[0]?.acceptSecrets({ current, retired: [] })));
      expect(later.toSorted()).toEqual(["accepted", "refused", "refused"]);
      for (const store of stores) await store.close();
      await world.dispose();
    });

    test("processes that replace the server secret one after the other, or go back, are accepted at any time", async () => {
      const world = await createWorld();
      const stores = await Promise.all(Array.from({ length: 4 }, () => world.open()));
      expect(await stores[0]?.acceptSecrets({ current: "1111", retired: [] })).toBe("accepted");
      await withEvents(stores[0] as SharedKeyStore).insert("default", keyRecord(), null);
      const steps = [
        ["1111", []],
        ["1111", ["2222"]],
        ["2222", ["1111"]],
        ["2222", []],
      ] as const;
      for (const [current, retired] of [...steps, ...steps.toReversed()]) {
        expect(await Promise.all(stores.map((store) => store.acceptSecrets({ current, retired })))).not.toContain("refused");
      }
      for (const store of stores) await store.close();
      await world.dispose();
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
