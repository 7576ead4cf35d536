// @ts-check
import { registerHooks } from "node:module";

/** @typedef {import("./link.js").LinkedModule} LinkedModule */

/**
 * Runs a linked module, by its URL. Modules that Node loads have no other way to reach a linked one than a module: this.
 * @type {Map<string, () => object>}
 */
const shared = new Map();

/** @param {string} url */
export function sharedNamespace(url) {
  return shared.get(url)?.();
}

/**
 * Gives packages that Node loads from now on the linked instance of modules of packages, so that there is no second one.
 * @param {string} base URL of the checkout.
 * @param {ReadonlyMap<string, LinkedModule>} modules
 * @param {(id: string) => object} evaluate
 */
export function share(base, modules, evaluate) {
  for (const id of modules.keys()) if (id.startsWith("node_modules/")) shared.set(`${base}${id}`, () => evaluate(id));
  registerHooks({
    load(url, context, nextLoad) {
      if (!shared.has(url)) return nextLoad(url, context);
      const names = exportsOf(url.slice(base.length), modules);
      const source = `import { sharedNamespace } from "${import.meta.url}";
export const { ${names.join(", ")} } = sharedNamespace("${url}");`;
      return { format: "module", source, shortCircuit: true };
    },
  });
}

/**
 * @param {string} id
 * @param {ReadonlyMap<string, LinkedModule>} modules
 * @returns {string[]}
 */
export function exportsOf(id, modules) {
  const { exports = [], all = [], linked = {} } = modules.get(id) ?? {};
  return [...exports, ...all.flatMap((specifier) => exportsOf(String(linked[specifier]), modules))];
}
