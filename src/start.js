import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";
import { openBundle } from "./start/bundle.js";
import { openCompiledCode } from "./start/compiled-code.js";
import { runBundle } from "./start/run-bundle.js";

// Entry of `npm start` and of the image. It runs main.ts from a bundle with compiled code, which earlier starts left: finding, reading and
// compiling the sources takes more than half of a start (bench/start.ts). This file is JavaScript because the first TypeScript file loads
// the program that strips types.
// As in main.ts, which loads later.
for (const signal of ["SIGHUP", "SIGUSR1", "SIGUSR2"]) process.on(signal, () => {});
const bundle = openBundle(fileURLToPath(new URL("../", import.meta.url)));
if (bundle === null) {
  enableCompileCache(fileURLToPath(new URL("../node_modules/.cache/keywright/code", import.meta.url)));
  await import("./main.ts");
} else {
  runBundle(bundle, openCompiledCode(bundle));
}
