import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";

// Entry of `npm start` and of the image: main.ts, with the code that earlier starts compiled. Without it, half of a start is spent on taking
// the types out of the sources and on compiling them (bench/start.ts). This file is JavaScript because the first TypeScript file loads the
// program that takes the types out. Who can write to node_modules can change the code anyway, so the cache is as safe as the code. A folder
// that cannot be written keeps nothing.
process.on("SIGUSR1", () => {});
enableCompileCache(fileURLToPath(new URL("../node_modules/.cache/keywright", import.meta.url)));
await import("./main.ts");
