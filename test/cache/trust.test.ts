import { beforeEach, describe, expect, test } from "vitest";
import { beatIdOf, generationOfBeat } from "../../src/cache/beat-id.ts";
import { createCacheTrust } from "../../src/cache/trust.ts";
import type { CacheGeneration } from "../../src/ports/cache-generation.ts";
import type { SharedCache } from "../../src/ports/shared-cache.ts";

const leaseMs = 1000;
const graceMs = 60_000;
const tickMs = 250;
const generationPaceMs = 200;

/** The trust of one process, with a store and a shared cache that work until the test says otherwise. */
function setup({ grace = graceMs, hasShared = true } = {}) {
  const world = {
    nowMs: 0,
    resets: 0,
    pausesMs: [] as number[],
    isStoreThere: true,
    generation: { number: 0, cacheId: "" } as CacheGeneration,
  };
  const beats: string[] = [];
  const shared = { cacheId: "run1" as string | null, beat: (beatId: string) => void beats.push(beatId) };
  let beatNumber = 0;
  const orReject = (): Promise<CacheGeneration> =>
    world.isStoreThere ? Promise.resolve(world.generation) : Promise.reject(new Error("away"));
  const trust = createCacheTrust({
    generations: {
      read: orReject,
      advance(from, cacheId) {
        if (world.isStoreThere && world.generation.number === from) world.generation = { number: from + 1, cacheId };
        return orReject();
      },
    },
    shared: hasShared ? (shared as unknown as SharedCache) : null,
    monotonicMs: () => world.nowMs,
    leaseMs,
    graceMs: grace,
    identityPatienceMs: 1000,
    generationPaceMs,
    schedule(delayMs, work) {
      world.pausesMs.push(delayMs);
      work();
    },
    reset: () => {
      world.resets += 1;
    },
    createBeatId: () => `beat${beatNumber++}`,
  });
  /** Advances the clock by this many steps. Heartbeats return at once or not at all. */
  const tick = async (times = 1, beatsComeRound = true) => {
    for (let count = 0; count < times; count += 1) {
      world.nowMs += tickMs;
      await trust.tick();
      const sent = beats.splice(0);
      if (beatsComeRound) for (const beatId of sent) trust.onBeat(beatId, shared.cacheId ?? "");
    }
  };
  return { world, shared, trust, beats, tick };
}

describe("a process that reaches everything", () => {
  test("trusts nothing before its first tick, then adopts the shared cache and trusts both", async () => {
    const { world, trust, tick } = setup();
    expect([trust.mode(), trust.localUse(), trust.generationOf("run1")]).toEqual(["none", "never", null]);
    await tick();
    expect(world.generation).toEqual({ number: 1, cacheId: "run1" });
    await tick();
    expect([trust.mode(), trust.localUse(), trust.generationOf("run1"), trust.generationOf("run2")]).toEqual(["leased", "first", 1, null]);
  });

  test("continues to trust both", async () => {
    const { world, trust, tick } = setup();
    await tick(2);
    const { epoch } = trust;
    await tick(40);
    expect([trust.localUse(), trust.epoch, world.generation.number]).toEqual(["first", epoch, 1]);
  });

  test("clears its entries and begins an epoch if another generation began, or if messages may be missing", async () => {
    const { world, trust, tick } = setup();
    await tick(2);
    const { epoch } = trust;
    const { resets } = world;
    world.generation = { number: 2, cacheId: "run1" };
    await tick();
    expect([world.resets, trust.epoch]).toEqual([resets + 1, epoch + 1]);
    trust.onGap();
    expect([world.resets, trust.epoch, trust.localUse()]).toEqual([resets + 2, epoch + 2, "never"]);
  });
});

describe("heartbeats", () => {
  test("without them, in-process entries are served only until one lease after the last one was sent", async () => {
    const { world, trust, tick } = setup();
    await tick(2);
    const sentMs = world.nowMs;
    await tick(4, false);
    expect([world.nowMs - sentMs, trust.localUse()]).toEqual([leaseMs, "first"]);
    await tick(1, false);
    expect([trust.mode(), trust.localUse()]).toEqual(["leased", "never"]);
  });

  test("one that returns late proves only what came before it", async () => {
    const { world, trust, beats, tick } = setup();
    await tick(2);
    await trust.tick();
    const [late] = beats.splice(0) as [string];
    world.nowMs += leaseMs + 1;
    trust.onBeat(late, "run1");
    expect(trust.localUse()).toBe("never");
  });

  test("through another server, or from another process, they prove nothing", async () => {
    const { trust, shared, beats, tick } = setup();
    await tick(1, false);
    await tick(1, false);
    trust.onBeat(beatIdOf({ number: 1, cacheId: "run1" }, "somebody's"), "run1");
    shared.cacheId = "run1";
    await trust.tick();
    const [own] = beats.splice(0) as [string];
    trust.onBeat(own, "run2");
    expect(trust.localUse()).toBe("never");
  });

  test("announce a generation while the store cannot be asked; it is adopted, but does not prove that the store works", async () => {
    const { world, trust, tick } = setup();
    await tick(2);
    world.isStoreThere = false;
    await tick(5);
    expect([trust.mode(), trust.generationOf("run1")]).toEqual(["grace", 1]);
    const { resets } = world;
    trust.onBeat(beatIdOf({ number: 7, cacheId: "run1" }, "somebody's"), "run1");
    expect([trust.mode(), trust.generationOf("run1"), world.resets]).toEqual(["grace", 7, resets + 1]);
    trust.onBeat(beatIdOf({ number: 6, cacheId: "run1" }, "somebody's"), "run1");
    expect(trust.generationOf("run1")).toBe(7);
  });

  test("are sent as soon as a new generation is known", async () => {
    const { world, trust, beats, tick } = setup();
    await tick(2);
    world.generation = { number: 5, cacheId: "run1" };
    await trust.settle({ cacheId: "run1", generation: 5 });
    expect(beats.map(generationOfBeat)).toEqual([{ number: 5, cacheId: "run1" }]);
  });

  test("name the generation, whatever the cache id is; other messages are ignored", async () => {
    for (const generation of [
      { number: 0, cacheId: "" },
      { number: 12, cacheId: "a:b:c" },
    ]) {
      expect(generationOfBeat(beatIdOf(generation, "unique"))).toEqual(generation);
    }
    expect(["", "unique", "1:x", "x:y:z", "-1:x:y"].map(generationOfBeat)).toEqual([null, null, null, null, null]);
    const { trust, tick } = setup();
    await tick(2);
    trust.onBeat("nonsense", "run1");
    expect(trust.generationOf("run1")).toBe(1);
  });
});

describe("while the store is lost", () => {
  test("the lease ends, then the grace period", async () => {
    const { world, trust, tick } = setup();
    await tick(2);
    const askedMs = world.nowMs;
    world.isStoreThere = false;
    await tick(4);
    expect([trust.mode(), trust.localUse()]).toEqual(["leased", "first"]);
    await tick();
    expect([trust.mode(), trust.localUse()]).toEqual(["grace", "first"]);
    world.nowMs = askedMs + graceMs;
    expect(trust.mode()).toBe("grace");
    world.nowMs += 1;
    expect([trust.mode(), trust.localUse()]).toEqual(["none", "never"]);
  });

  test("without a grace period nothing is served after the lease", async () => {
    const { world, trust, tick } = setup({ grace: 0 });
    await tick(2);
    world.isStoreThere = false;
    await tick(5);
    expect([trust.mode(), trust.localUse()]).toEqual(["none", "never"]);
  });

  test("in-process entries without a heartbeat are used last, and for at most one grace period after it", async () => {
    const { world, trust, tick } = setup();
    await tick(2);
    const provenMs = world.nowMs;
    await tick(8, false);
    world.isStoreThere = false;
    await tick(5, false);
    expect([trust.mode(), trust.localUse()]).toEqual(["grace", "last"]);
    world.nowMs = provenMs + graceMs + 1;
    expect([trust.mode(), trust.localUse()]).toEqual(["grace", "never"]);
  });

  test("a process that was paused does not treat the store as lost, but asks it", async () => {
    const { world, trust, tick } = setup();
    await tick(2);
    world.nowMs += 5000;
    expect([trust.mode(), trust.localUse()]).toEqual(["none", "never"]);
    await tick();
    expect(trust.mode()).toBe("leased");
  });
});

describe("a change is guaranteed", () => {
  test("at once if the cache server of the generation in force was told", async () => {
    const { world, trust, tick } = setup();
    await tick(2);
    await trust.settle({ cacheId: "run1", generation: 1 });
    expect(world.generation.number).toBe(1);
  });

  test.each([
    ["nobody was told", null],
    ["another server was told", { cacheId: "run2", generation: 1 }],
    ["it was told under another generation", { cacheId: "run1", generation: 0 }],
  ])("by a new generation if %s", async (_case, told) => {
    const { world, trust, tick } = setup();
    await tick(2);
    const { epoch } = trust;
    await trust.settle(told);
    expect([world.generation, trust.epoch, trust.generationOf("run1")]).toEqual([{ number: 2, cacheId: "run1" }, epoch + 1, 2]);
  });

  test("by a generation that another process began meanwhile", async () => {
    const { world, trust, tick } = setup();
    await tick(2);
    await Promise.all([trust.settle(null), trust.settle(null), trust.settle(null)]);
    expect([world.generation.number, trust.generationOf("run1")]).toEqual([2, 2]);
  });

  test("no sooner than 200 ms after entries were last dropped", async () => {
    const { world, trust, tick } = setup();
    await tick(2);
    await trust.settle(null);
    world.nowMs += 50;
    await trust.settle(null);
    world.nowMs += 200;
    await trust.settle(null);
    expect([world.generation.number, world.pausesMs]).toEqual([4, [150]]);
  });

  test("not if the store cannot be asked", async () => {
    const { world, trust, tick } = setup();
    await tick(2);
    world.isStoreThere = false;
    await expect(trust.settle({ cacheId: "run1", generation: 1 })).rejects.toThrow("away");
  });

  test("by a new generation as soon as the store is back", async () => {
    const { world, trust, tick } = setup();
    await tick(2);
    world.isStoreThere = false;
    await expect(trust.settle({ cacheId: "run1", generation: 1 })).rejects.toThrow("away");
    await tick(3);
    world.isStoreThere = true;
    await tick();
    expect([world.generation, trust.generationOf("run1")]).toEqual([{ number: 2, cacheId: "run1" }, 2]);
    await tick(3);
    expect(world.generation.number).toBe(2);
  });
});

describe("another run of the cache server", () => {
  test("is not trusted, and gets its own generation after a while", async () => {
    const { world, shared, trust, tick } = setup();
    await tick(2);
    shared.cacheId = "run2";
    await tick(4);
    expect([world.generation.cacheId, trust.generationOf("run2"), trust.generationOf("run1")]).toEqual(["run1", null, 1]);
    await tick(2);
    expect([world.generation, trust.generationOf("run2")]).toEqual([{ number: 2, cacheId: "run2" }, 2]);
    await tick();
    expect(trust.localUse()).toBe("first");
  });

  test("that disappears again, or no server at all, changes nothing", async () => {
    const { world, shared, tick } = setup();
    await tick(2);
    shared.cacheId = "run2";
    await tick(3);
    shared.cacheId = null;
    await tick(10);
    shared.cacheId = "run2";
    await tick(3);
    expect(world.generation).toEqual({ number: 1, cacheId: "run1" });
  });
});

describe("without a shared cache", () => {
  let process: ReturnType<typeof setup>;
  beforeEach(async () => {
    process = setup({ hasShared: false });
    await process.tick(2);
  });

  test("in-process entries need no heartbeat", () => {
    expect([process.trust.mode(), process.trust.localUse(), process.trust.generationOf(null)]).toEqual(["leased", "first", null]);
  });

  test("each change begins a generation at once, unless it is made at the same time as another", async () => {
    await process.trust.settle(null);
    await process.trust.settle(null);
    expect(process.world.generation).toEqual({ number: 2, cacheId: "" });
    await Promise.all([process.trust.settle(null), process.trust.settle(null)]);
    expect(process.world.generation.number).toBe(3);
    expect(process.world.pausesMs).toEqual([]);
  });

  test("no entry is trusted while others announce through a shared cache, until they have had a minute to go", async () => {
    process.world.generation = { number: 5, cacheId: "run1" };
    await process.tick();
    expect([process.trust.mode(), process.trust.localUse()]).toEqual(["leased", "never"]);
    // Its own changes leave the shared cache of the others in force.
    await process.trust.settle(null);
    expect(process.world.generation).toEqual({ number: 6, cacheId: "run1" });
    const ticks = 60_000 / tickMs - 1;
    await process.tick(ticks);
    expect([process.world.generation.cacheId, process.trust.localUse()]).toEqual(["run1", "never"]);
    await process.tick();
    expect([process.world.generation, process.trust.localUse()]).toEqual([{ number: 7, cacheId: "" }, "first"]);
  });
});
