// @ts-check
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Script } from "node:vm";
import { useSourceMaps } from "./source-maps.js";

/** What modules see as `import.meta`. */
const parameters = "exports, require, importMeta";

/**
 * Runs `main.cjs` of a bundle. Its files are scripts and not ES modules, because only for scripts does V8 give the code of functions that
 * were compiled when they were first called: the file of an ES module is kept without them, and each start compiles a thousand of them.
 * @param {string} folder
 * @param {import("./compiled-code.js").CompiledCode} compiledCode
 */
export function runBundle(folder, compiledCode) {
  const requirePackage = createRequire(join(folder, "main.cjs"));
  const importMeta = {
    url: pathToFileURL(join(folder, "main.cjs")).href,
    resolve: (/** @type {string} */ name) => pathToFileURL(requirePackage.resolve(name)).href,
  };
  /** @type {Map<string, { exports: object }>} */
  const loaded = new Map();

  /**
   * @param {string} name
   * @returns {unknown}
   */
  const load = (name) => {
    if (!name.startsWith("./")) return requirePackage(name);
    const known = loaded.get(name);
    if (known !== undefined) return known.exports;
    const filename = join(folder, name);
    const text = `(function (${parameters}) {"use strict";${readFileSync(filename, "utf8")}\n})`;
    const cachedData = compiledCode.read(name);
    const script = new Script(text, cachedData === undefined ? { filename } : { filename, cachedData });
    compiledCode.add(name, script);
    const module = { exports: {} };
    loaded.set(name, module);
    try {
      script.runInThisContext()(module.exports, load, importMeta);
    } catch (error) {
      // The next call that needs the file tries again.
      loaded.delete(name);
      throw error;
    }
    return module.exports;
  };

  useSourceMaps(folder);
  load("./main.cjs");
}
