import { expect, test } from "vitest";
import { startServer } from "../support/server-process.ts";
import { problemsOf, runHostile, summaryOf } from "./run-hostile.ts";

test("4,000 hostile requests cause no fault of the server and no error for others", { timeout: 120_000 }, async () => {
  await using server = await startServer();
  const result = await runHostile({ server, count: 4000, seed: 3, log: () => {} });
  console.info(summaryOf(result));
  expect(problemsOf(result)).toEqual([]);
  expect(await server.stop()).toBe(0);
});
