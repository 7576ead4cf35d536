import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";

// Entry of `npm start` and of the image: runs main.ts with the code that earlier starts compiled. Without it, half of a start is spent on
// stripping the types from the sources and on compiling them (bench/start.ts). This file is JavaScript because the first TypeScript file
// loads the program that strips types. Anybody who can write to node_modules can change the code anyway, so the cache is as safe as the
// code. If the folder is not writable, nothing is kept.
process.on("SIGUSR1", () => {});
enableCompileCache(fileURLToPath(new URL("../node_modules/.cache/keywright", import.meta.url)));
await import("./main.ts");
