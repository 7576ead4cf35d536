import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Mutation, withMutant } from "./mutant.ts";
import { type Protocol, realProtocol } from "./protocol.ts";
import { type RunOptions, run } from "./run.ts";
import { scenarios } from "./scenario.ts";

const maxRuns = Number(process.env.MODEL_MUTANT_RUNS ?? 600);
const seed = 20_261_123;

/** In how many runs a bug is found, and as what. */
async function find(protocol: Protocol, options: RunOptions = {}): Promise<{ readonly runs: number; readonly as: string } | null> {
  const details = await fc.check(
    fc.asyncProperty(scenarios, (scenario) => run(protocol, scenario, options).then(() => {})),
    { seed, numRuns: maxRuns, endOnFailure: true },
  );
  return details.failed ? { runs: details.numRuns, as: String((details.errorInstance as Error).message).split("\n")[0] as string } : null;
}

const sources: Readonly<Record<string, readonly Mutation[]>> = {
  "the generation rule is removed: a change is settled whatever the shared cache was told": [
    { file: "src/cache/trust.ts", text: "await advance(current.number, current.cacheId);", becomes: "" },
  ],
  "the proven-alive rule is removed: in-process entries are served without a heartbeat": [
    {
      file: "src/cache/trust.ts",
      text: "const proofAgeMs = shared === null ? 0 : nowMs - provenSinceMs;",
      becomes: "const proofAgeMs = 0;",
    },
  ],
  "in-process entries outlive a gap in the subscription": [{ file: "src/cache/trust.ts", text: "onGap: doubt,", becomes: "onGap: () => {}," }],
  "the generation's lease counts from the answer": [
    { file: "src/cache/trust.ts", text: "Math.max(knownSinceMs, askedMs)", becomes: "monotonicMs() + 0 * askedMs" },
  ],
  "the store is taken for lost because it is long ago that it answered": [
    { file: "src/cache/trust.ts", text: "ticks - answeredTick >= ticksUntilLost", becomes: "true" },
  ],
  "the heartbeat's lease counts from when it came round": [
    { file: "src/cache/trust.ts", text: "Math.max(provenSinceMs, sentMs)", becomes: "monotonicMs()" },
  ],
  "another run of the cache server is believed": [
    { file: "src/cache/trust.ts", text: "&& cacheId !== null && cacheId === known.cacheId ?", becomes: "&& cacheId !== null ?" },
    { file: "src/cache/trust.ts", text: "|| told.cacheId !== current.cacheId", becomes: "" },
  ],
  "the generation is read before the change is made": [
    { file: "src/cache/record-reader.ts", text: "const askedMs = clock();\n      return async", becomes: "const askedMs = clock();\n      const early = trust.readEarly();\n      early.catch(() => {});\n      return async" },
    { file: "src/cache/record-reader.ts", text: "{ cacheId, generation });", becomes: "{ cacheId, generation }, early);" },
    { file: "src/cache/trust.ts", text: "async settle(told) {", becomes: "readEarly: () => generations.read(),\n    async settle(told, early) {" },
    { file: "src/cache/trust.ts", text: "const current = await read();", becomes: "const current = await early;" },
  ],
  "a second revocation that finds the key revoked tells nobody": [
    { file: "src/service/change.ts", text: "await tell(record, record.revision);", becomes: "" },
  ],
  "what a superseded flight brings back is kept": [
    { file: "src/cache/record-reader.ts", text: "!flight.superseded && flight.epoch === trust.epoch;", becomes: "flight.epoch === trust.epoch;" },
  ],
  "what a flight of another epoch brings back is kept": [
    { file: "src/cache/record-reader.ts", text: "!flight.superseded && flight.epoch === trust.epoch;", becomes: "!flight.superseded;" },
  ],
  "superseded flights are joined": [{ file: "src/cache/flights.ts", text: "!flight.superseded && flight.epoch", becomes: "flight.epoch" }],
  "a change is kept in the process that made it, and told under the generation of the moment": [
    { file: "src/cache/record-reader.ts", text: "local.dropOlder(tenant, keyId, revision);\n        await", becomes: "local.putIfNewer(tenant, keyId, entry, clock());\n        await" },
  ],
  "a change is told under a generation that began after it": [
    { file: "src/cache/record-reader.ts", text: "return async (record, revision) => {\n", becomes: "return async (record, revision) => {\n const generation = trust.generationOf(shared?.cacheId ?? null);\n" },
  ],
  "in-process entries are dropped before the shared cache was told": [
    { file: "src/cache/record-reader.ts", text: "        const cacheId = mayTell", becomes: "        flights.supersede(tenant, keyId);\n        local.dropOlder(tenant, keyId, revision);\n        const cacheId = mayTell" },
    { file: "src/cache/record-reader.ts", text: "        // Dropped only now", becomes: "        if (true) return trust.settle(cacheId === null || generation === null ? null : { cacheId, generation });\n        // Dropped only now" },
  ],
  "heartbeats tell nobody of a new generation": [
    { file: "src/cache/trust.ts", text: "if (heard !== null && known !== null) moveTo(heard);", becomes: "" },
  ],
  "while the store is lost, in-process entries come first": [
    { file: "src/cache/trust.ts", text: 'if (proofAgeMs <= leaseMs) return "first";', becomes: 'if (proofAgeMs <= leaseMs || mode === "grace") return "first";' },
  ],
  "a heartbeat proves something whatever server it came by": [
    { file: "src/cache/trust.ts", text: "if (cacheId === known?.cacheId) provenSinceMs", becomes: "provenSinceMs" },
  ],
};

describe(`a bug in the protocol is found within ${maxRuns} random histories`, () => {
  test.for(Object.entries(sources))("%s", { timeout: 600_000 }, async ([_name, mutations]) => {
    const found = await withMutant(mutations, find);
    console.info(`${found?.runs} runs: ${found?.as}`);
    expect(found).not.toBeNull();
  });

  test("the shared cache overwrites a newer record", { timeout: 600_000 }, async () => {
    const found = await find(realProtocol, { sharedPutsIfNewer: false, checksReplacement: false });
    console.info(`${found?.runs} runs: ${found?.as}`);
    expect(found).not.toBeNull();
  });

  test("the in-process cache overwrites a newer record", { timeout: 600_000 }, async () => {
    const createMemoryRecordCache: typeof realProtocol.createMemoryRecordCache = (options) => {
      const cache = realProtocol.createMemoryRecordCache(options);
      return {
        ...cache,
        putIfNewer(tenant, keyId, entry, nowMs) {
          cache.dropOlder(tenant, keyId, Number.MAX_SAFE_INTEGER);
          cache.putIfNewer(tenant, keyId, entry, nowMs);
        },
      };
    };
    const found = await find({ ...realProtocol, createMemoryRecordCache });
    console.info(`${found?.runs} runs: ${found?.as}`);
    expect(found).not.toBeNull();
  });
});
