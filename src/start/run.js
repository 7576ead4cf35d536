// @ts-check
import { pathToFileURL } from "node:url";
import { Script } from "node:vm";

/** @typedef {import("./link.js").LinkedModule} LinkedModule */

/** The text of a linked module begins with this. It is not a part of the columns of the source. */
export const prefix = '(function ($link) { "use strict"; ';
/** Packages that are not linked and import some that are. */
const importsLinked = /^@(?:bufbuild|connectrpc)\//;

/**
 * Runs linked modules as Node runs modules: each once, after those that it imports.
 * @param {string} root
 * @param {ReadonlyMap<string, LinkedModule>} modules
 * @param {ReadonlyMap<string, Buffer>} code Compiled code, by module.
 */
export function createRunner(root, modules, code) {
  const base = pathToFileURL(root).href;
  /** @type {Map<string, object>} */
  const namespaces = new Map();
  /** @type {Map<string, Script>} */
  const scripts = new Map();
  const packages = createPackages(base, modules, evaluate);

  /**
   * @param {string} id
   * @returns {object}
   */
  function evaluate(id) {
    const known = namespaces.get(id);
    if (known !== undefined) return known;
    const module = moduleOf(modules, id);
    const $link = (/** @type {string} */ specifier) => {
      const target = module.linked[specifier];
      return target === undefined ? packages.get(specifier) : evaluate(target);
    };
    $link.import = (/** @type {string} */ specifier) => {
      const target = module.dynamic[specifier];
      return target === undefined ? import(specifier) : load(target);
    };
    const url = `${base}${id}`;
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
    if (!namespaces.has(id)) await packages.load(id);
    return evaluate(id);
  }

  return {
    load,
    /** Returns the code of all modules that ran, with the functions that were called. */
    compiledCode: () => new Map(Array.from(scripts, ([id, script]) => [id, script.createCachedData()])),
  };
}

/**
 * What Node loads: packages and built-in modules.
 * @param {string} base
 * @param {ReadonlyMap<string, LinkedModule>} modules
 * @param {(id: string) => object} evaluate
 */
function createPackages(base, modules, evaluate) {
  /** @type {Map<string, object>} */
  const loaded = new Map();
  let isShared = false;

  /**
   * Loads those that a module and its imports need, because only then they can run without a wait.
   * @param {string} id
   */
  async function load(id) {
    const seen = new Set([id]);
    /** @type {Set<string>} */
    const missing = new Set();
    for (const one of seen) {
      const { linked, external } = moduleOf(modules, one);
      for (const target of Object.values(linked)) seen.add(target);
      for (const specifier of external) if (!loaded.has(specifier)) missing.add(specifier);
    }
    if (!isShared && Array.from(missing).some((specifier) => importsLinked.test(specifier))) {
      const { share } = await import("./share.js");
      if (!isShared) share(base, modules, evaluate);
      isShared = true;
    }
    await Promise.all(Array.from(missing, async (specifier) => loaded.set(specifier, await import(specifier))));
  }

  return { load, get: (/** @type {string} */ specifier) => loaded.get(specifier) };
}

/**
 * @param {ReadonlyMap<string, LinkedModule>} modules
 * @param {string} id
 */
function moduleOf(modules, id) {
  const module = modules.get(id);
  if (module === undefined) throw new Error(`${id} is not linked`);
  return module;
}
