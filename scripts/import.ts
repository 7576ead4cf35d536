import { randomBytes } from "node:crypto";
import { main } from "../tools/import/main.ts";

/** Imports API keys from a file into a service: `npm run import -- FILE`. */
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    // The first signal lets batches in progress finish; a second one does not.
    if (stop.signal.aborted) process.exit(130);
    stop.abort();
  });
}

const code = await main({
  args: process.argv.slice(2),
  env: process.env,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  stop: stop.signal,
  monotonicMs: () => performance.now(),
  newRunId: () => randomBytes(15).toString("base64url"),
  random: Math.random,
});
process.exit(code);
