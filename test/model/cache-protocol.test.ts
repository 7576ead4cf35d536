import fc from "fast-check";
import { expect, test } from "vitest";
import { realProtocol } from "./protocol.ts";
import { run } from "./run.ts";
import { scenarios } from "./scenario.ts";

const runs = Number(process.env.MODEL_RUNS ?? 300);
const seed = Number(process.env.MODEL_SEED ?? 20_261_123);

test(`the verifier cache keeps its bounds in ${runs} random histories (seed ${seed})`, { timeout: 600_000 + runs * 100 }, async () => {
  const totals = { verifications: 0, acknowledged: 0, hits: 0, unavailable: 0 };
  await fc.assert(
    fc.asyncProperty(scenarios, async (scenario) => {
      const summary = await run(realProtocol, scenario);
      for (const name of Object.keys(totals) as (keyof typeof totals)[]) totals[name] += summary[name];
    }),
    { seed, numRuns: runs, ...(process.env.MODEL_PATH === undefined ? {} : { path: process.env.MODEL_PATH, endOnFailure: true }) },
  );
  console.info(JSON.stringify(totals));
  // Otherwise nothing was tested.
  expect(totals.hits).toBeGreaterThan(totals.verifications / 3);
});
