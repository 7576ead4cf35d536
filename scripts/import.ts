import { randomBytes } from "node:crypto";
import { main } from "../tools/import/main.ts";

/** Moves an estate of API keys into a service: `npm run import -- FILE`. */
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    // The first one lets what is under way finish, the second one does not.
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
