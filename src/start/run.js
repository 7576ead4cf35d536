// @ts-check
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Script } from "node:vm";

/** @typedef {import("./link.js").LinkedModule} LinkedModule */

/** The text of a linked module begins with this. It is not a part of the columns of the source. */
export const prefix = '(function ($link) { "use strict"; ';

/**
 * Runs linked modules as Node runs modules: each once, after those that it imports.
 * @param {string} root
 * @param {ReadonlyMap<string, LinkedModule>} modules
 * @param {ReadonlyMap<string, Buffer>} code Compiled code, by module.
 */
export function createRunner(root, modules, code) {
  /** @type {Map<string, object>} */
  const external = new Map();
  /** @type {Map<string, object>} */
  const namespaces = new Map();
  /** @type {Map<string, Script>} */
  const scripts = new Map();

  /** @param {string} id */
  function moduleOf(id) {
    const module = modules.get(id);
    if (module === undefined) throw new Error(`${id} is not linked`);
    return module;
  }

  /**
   * Loads the packages that a module and its imports need, because only then they can run without a wait.
   * @param {string} id
   */
  async function loadPackages(id) {
    const seen = new Set([id]);
    /** @type {Set<string>} */
    const missing = new Set();
    for (const one of seen) {
      const module = moduleOf(one);
      for (const target of Object.values(module.linked)) seen.add(target);
      for (const specifier of module.external) if (!external.has(specifier)) missing.add(specifier);
    }
    await Promise.all(Array.from(missing, async (specifier) => external.set(specifier, await import(specifier))));
  }

  /**
   * @param {string} id
   * @returns {object}
   */
  function evaluate(id) {
    const known = namespaces.get(id);
    if (known !== undefined) return known;
    const module = moduleOf(id);
    const $link = (/** @type {string} */ specifier) => {
      const target = module.linked[specifier];
      return target === undefined ? external.get(specifier) : evaluate(target);
    };
    $link.import = (/** @type {string} */ specifier) => {
      const target = module.dynamic[specifier];
      return target === undefined ? import(specifier) : load(target);
    };
    const url = pathToFileURL(join(root, id)).href;
    $link.meta = { url, resolve: (/** @type {string} */ specifier) => import.meta.resolve(specifier) };
    const cachedData = code.get(id);
    const script = new Script(module.text, { filename: url, columnOffset: -prefix.length, ...(cachedData && { cachedData }) });
    scripts.set(id, script);
    const namespace = script.runInThisContext()($link);
    namespaces.set(id, namespace);
    return namespace;
  }

  /** @param {string} id */
  async function load(id) {
    if (!namespaces.has(id)) await loadPackages(id);
    return evaluate(id);
  }

  return {
    load,
    /** Returns the code of all modules that ran, with the functions that were called. */
    compiledCode: () => new Map(Array.from(scripts, ([id, script]) => [id, script.createCachedData()])),
  };
}
