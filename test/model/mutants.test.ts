import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { withMutant } from "./mutant.ts";
import { focuses, mutations } from "./mutations.ts";
import { type Protocol, realProtocol } from "./protocol.ts";
import { type RunOptions, run } from "./run.ts";
import { type Scenario, scenarios } from "./scenario.ts";

const maxRuns = Number(process.env.MODEL_MUTANT_RUNS ?? 600);
const seed = 20_261_123;

/** Returns after how many runs a bug is found, and as what. */
async function find(
  protocol: Protocol,
  options: RunOptions = {},
  from: fc.Arbitrary<Scenario> = scenarios,
): Promise<{ readonly runs: number; readonly as: string } | null> {
  const details = await fc.check(
    fc.asyncProperty(from, (scenario) => run(protocol, scenario, options).then(() => {})),
    { seed, numRuns: maxRuns, endOnFailure: true },
  );
  return details.failed ? { runs: details.numRuns, as: String((details.errorInstance as Error).message).split("\n")[0] as string } : null;
}

describe(`a bug in the protocol is found within ${maxRuns} random histories`, () => {
  test.for(Object.entries(mutations))("%s", { timeout: 600_000 }, async ([name, changes]) => {
    const found = await withMutant(changes, (protocol) => find(protocol, {}, focuses[name] ?? scenarios));
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
