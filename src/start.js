import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";

// Entry of `npm start` and of the image: runs main.ts with the code that earlier starts compiled (start/linked.js; bench/start.ts measures
// it). This file is JavaScript because the first TypeScript file loads the program that strips types. Anybody who can write to node_modules
// can change the code anyway, so the cache is as safe as the code. If the folder is not writable, nothing is kept.
process.on("SIGUSR1", () => {});
const cache = new URL("../node_modules/.cache/keywright/", import.meta.url);
enableCompileCache(fileURLToPath(cache));
const { openLinked } = await import("./start/linked.js");
const linked = await openLinked(
  fileURLToPath(new URL("../", import.meta.url)),
  "src/main.ts",
  fileURLToPath(new URL(`linked/${process.version}-${process.arch}`, cache)),
);
await (linked === null ? import("./main.ts") : linked.load("src/main.ts"));
