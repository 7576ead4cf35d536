import { afterEach, describe, expect, test } from "vitest";
import type { CacheGenerationStore } from "../../src/ports/cache-generation.ts";

/** The generation as one process sees it. */
export interface OpenGenerations {
  readonly generations: CacheGenerationStore;
  /** Prevents this process from reaching the store from now on. */
  cutOff(): Promise<void>;
}

export interface GenerationWorld {
  /** Opens the same store as another process. */
  open(): Promise<OpenGenerations>;
  /** Closes everything and removes what the store kept. */
  dispose(): Promise<void>;
}

/** The contract of every store of the cache generation: the doc comments of src/ports/cache-generation.ts as tests. */
export function describeCacheGeneration(name: string, createWorld: () => Promise<GenerationWorld>): void {
  describe(`cache generation: ${name}`, () => {
    const worlds: GenerationWorld[] = [];
    const newWorld = async () => {
      const world = await createWorld();
      worlds.push(world);
      return world;
    };
    /** Opens an empty store from two processes. */
    const openTwo = async () => {
      const world = await newWorld();
      const [one, other] = [await world.open(), await world.open()];
      return { world, one: one.generations, other: other.generations };
    };
    afterEach(async () => {
      for (const world of worlds.splice(0)) await world.dispose();
    });

    test("is number 0 without an id before the first advance", async () => {
      const { one } = await openTwo();
      expect(await one.read()).toEqual({ number: 0, cacheId: "" });
    });

    test("advances step by step, and every process sees it", async () => {
      const { one, other } = await openTwo();
      expect(await one.advance(0, "a")).toEqual({ number: 1, cacheId: "a" });
      expect(await other.read()).toEqual({ number: 1, cacheId: "a" });
      expect(await other.advance(1, "b")).toEqual({ number: 2, cacheId: "b" });
      expect(await one.read()).toEqual({ number: 2, cacheId: "b" });
    });

    test("a read sees every advance that was acknowledged to another process before", async () => {
      const { one, other } = await openTwo();
      for (let number = 0; number < 20; number += 1) {
        const [writer, reader] = number % 2 === 0 ? [one, other] : [other, one];
        const begun = await writer.advance(number, `cache ${number}`);
        expect(begun.number).toBe(number + 1);
        expect(await reader.read()).toEqual(begun);
      }
    });

    test.each([0, 1, 3])("an advance from %i, which is not in force, changes nothing and returns the current generation", async (from) => {
      const { one, other } = await openTwo();
      await one.advance(0, "a");
      await one.advance(1, "b");
      expect(await other.advance(from, "c")).toEqual({ number: 2, cacheId: "b" });
      expect(await one.read()).toEqual({ number: 2, cacheId: "b" });
    });

    test("an advance from a number that was never in force begins nothing", async () => {
      const { one, other } = await openTwo();
      expect(await one.advance(1, "a")).toEqual({ number: 0, cacheId: "" });
      expect(await other.read()).toEqual({ number: 0, cacheId: "" });
    });

    test("advances again with the same cache id", async () => {
      const { one } = await openTwo();
      await one.advance(0, "a");
      expect(await one.advance(1, "a")).toEqual({ number: 2, cacheId: "a" });
    });

    test.each(["", "Ключ 'a' \"b\" \\ $set a.b", "x".repeat(200)])("keeps the cache id %j unchanged", async (cacheId) => {
      const { one, other } = await openTwo();
      await one.advance(0, cacheId);
      expect(await other.read()).toEqual({ number: 1, cacheId });
    });

    test.each([0, 1])("of 20 concurrent advances from %i one succeeds, and all return it", async (from) => {
      const { one, other } = await openTwo();
      if (from === 1) await one.advance(0, "first");
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? one : other).advance(from, `cache ${index}`)),
      );
      expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
      expect(answers[0]).toEqual(await one.read());
      expect(answers[0]?.number).toBe(from + 1);
    });

    test("is visible to a process that starts later", async () => {
      const { world, one } = await openTwo();
      await one.advance(0, "a");
      expect(await (await world.open()).generations.read()).toEqual({ number: 1, cacheId: "a" });
    });

    test("a process that cannot reach the store gets STORE_UNAVAILABLE, and the others continue", async () => {
      const world = await newWorld();
      const [one, other] = [await world.open(), await world.open()];
      await one.generations.advance(0, "a");
      await one.cutOff();
      await expect(one.generations.read()).rejects.toMatchObject({ reason: "STORE_UNAVAILABLE" });
      await expect(one.generations.advance(1, "b")).rejects.toMatchObject({ reason: "STORE_UNAVAILABLE" });
      expect(await other.generations.read()).toEqual({ number: 1, cacheId: "a" });
      expect(await other.generations.advance(1, "c")).toEqual({ number: 2, cacheId: "c" });
    });
  });
}
