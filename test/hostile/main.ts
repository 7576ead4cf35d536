import { startServer } from "../support/server-process.ts";
import { problemsOf, runHostile, summaryOf } from "./run-hostile.ts";

/** `node test/hostile/main.ts [requests] [seed]` is the long run, against its own server with a heap of 512 MB. */
const count = Number(process.argv[2] ?? 200_000);
const seed = Number(process.argv[3] ?? 1);

await using server = await startServer({ env: { NODE_OPTIONS: "--max-old-space-size=512" } });
const result = await runHostile({ server, count, seed, log: console.info });
console.info(summaryOf(result));
const problems = problemsOf(result);
console.info(problems.length === 0 ? "the server held" : `${problems.length} problems:\n${problems.join("\n")}`);
if (problems.length > 0) process.exitCode = 1;
