// @ts-check
import { hash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { join, posix } from "node:path";
import { pathToFileURL } from "node:url";
import { Script } from "node:vm";
import { prefix } from "./run.js";
import { exportsOf } from "./share.js";

/**
 * A module as a function: JavaScript without import and export lines, which takes what it imports and returns what it exports.
 * @typedef {object} LinkedModule
 * @property {string} id Path from the root of the checkout.
 * @property {string} digest Of the source.
 * @property {Record<string, string>} linked Ids of the linked modules that it imports, by specifier.
 * @property {string[]} external Specifiers that Node resolves: packages and built-in modules.
 * @property {Record<string, string>} dynamic Ids of the modules that it imports with `import()`, by specifier.
 * @property {string[]} exports
 * @property {string[]} all Specifiers of modules of which it exports everything.
 * @property {string} text
 */

/** Packages of many small files, which are linked too. Other packages get what is linked, so that there is one instance (run.js). */
const linkedPackages = ["jose", "@bufbuild/protobuf", "@bufbuild/protovalidate/gen"];

const importLine = /^import (?:(\w+)(?:, \{\s*\})?|(\{[^}]*\})|\* as (\w+)) from "([^"]+)";/gm;
const declaration = /^export (?=(?:async )?(?:function\*?|class|const|var) ([\w$]+|\{[^}]*\}))/gm;
const exportList = /^export \{([^}]*)\}(?: from "([^"]+)")?;/gm;
const exportAll = /^export \* from "([^"]+)";/gm;
const renamed = /([\w$]+) as ([\w$]+)/g;
const dynamicImport = /\bimport\("([^"]+)"\)/g;

/**
 * Links a module and all that it imports. Keeps the modules of `earlier` whose source is the same. Throws if a module contains a form of
 * import or export that is not one of the above: JavaScript refuses what is left of it inside a function.
 * @param {string} root
 * @param {string} entry
 * @param {ReadonlyMap<string, LinkedModule>} earlier
 * @returns {Map<string, LinkedModule>}
 */
export function link(root, entry, earlier) {
  /** @type {Map<string, LinkedModule>} */
  const modules = new Map();
  const waiting = [entry];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (modules.has(id)) continue;
    const source = readFileSync(join(root, id));
    const digest = digestOf(source);
    const same = earlier.get(id);
    const module = same?.digest === digest ? same : linkModule(root, id, source.toString());
    modules.set(id, module);
    waiting.push(...Object.values(module.linked), ...Object.values(module.dynamic));
  }
  for (const module of modules.values()) checkImports(module, modules);
  return modules;
}

/** @param {Buffer} source */
export function digestOf(source) {
  return hash("sha256", source, "base64");
}

/**
 * Lines and columns stay, so that stack traces name the lines of the source.
 * @param {string} root
 * @param {string} id
 * @param {string} source
 * @returns {LinkedModule}
 */
function linkModule(root, id, source) {
  const code = id.endsWith(".ts") ? stripTypes(source) : source;
  /** @type {LinkedModule} */
  const module = { id, digest: digestOf(Buffer.from(source)), linked: {}, external: [], dynamic: {}, exports: [], all: [], text: "" };
  /** @type {string[]} */
  const returned = [];
  const toLink = (/** @type {string} */ specifier) => {
    const target = resolveSpecifier(root, id, specifier);
    if (target === null) module.external.push(specifier);
    else module.linked[specifier] = target;
    return `$link("${specifier}")`;
  };
  const body = code
    .replace(importLine, (_, name, names, all, specifier) => {
      return `const ${all ?? names?.replace(renamed, "$1: $2") ?? `{ default: ${name} }`} = ${toLink(specifier)};`;
    })
    .replace(declaration, (_, name) => {
      for (const one of namesIn(name)) returned.push(one.replace(/^[\w$]+: /, ""));
      return "       ";
    })
    .replace(exportList, (line, names, specifier) => {
      const from = specifier === undefined ? "" : `${toLink(specifier)}.`;
      for (const one of namesIn(`{${names}}`)) {
        const [name, exported = name] = one.split(" as ");
        returned.push(`${exported}: ${from}${name}`);
      }
      return line.replace(/[^\n]/g, " ");
    })
    .replace(exportAll, (line, specifier) => {
      module.all.push(specifier);
      returned.push(`...${toLink(specifier)}`);
      return line.replace(/[^\n]/g, " ");
    })
    .replace(dynamicImport, (_, specifier) => {
      const target = resolveSpecifier(root, id, specifier);
      if (target !== null) module.dynamic[specifier] = target;
      return `$link.import("${specifier}")`;
    })
    .replaceAll("import.meta", "$link.meta");
  module.exports = returned.filter((one) => !one.startsWith("...")).map((one) => one.replace(/: .*$/, ""));
  module.text = `${prefix}${body}\nreturn { ${returned.join(", ")} };\n})`;
  // Throws a SyntaxError if a form was not recognized.
  new Script(module.text);
  return module;
}

/** @param {string} list A name, or names in braces. */
function namesIn(list) {
  const names = list.startsWith("{") ? list.slice(1, -1).split(",") : [list];
  return names.map((name) => name.trim()).filter((name) => name !== "");
}

/**
 * Returns the id of a module, or null if Node resolves the specifier.
 * @param {string} root
 * @param {string} importer
 * @param {string} specifier
 */
function resolveSpecifier(root, importer, specifier) {
  if (specifier.startsWith(".")) return posix.join(posix.dirname(importer), specifier);
  if (!linkedPackages.some((name) => specifier === name || specifier.startsWith(`${name}/`))) return null;
  const ownPackages = /^node_modules\/(?:@[^/]+\/)?[^/]+\//.exec(importer)?.[0];
  if (ownPackages !== undefined && existsSync(join(root, ownPackages, "node_modules")))
    throw new Error(`${ownPackages} has its own packages`);
  const url = import.meta.resolve(specifier);
  const folder = pathToFileURL(join(root, "/")).href;
  // A package outside the checkout is not linked.
  return url.startsWith(`${folder}node_modules/`) ? url.slice(folder.length) : null;
}

/**
 * Throws if a module imports a name that another does not export, as Node does.
 * @param {LinkedModule} module
 * @param {ReadonlyMap<string, LinkedModule>} modules
 */
function checkImports(module, modules) {
  for (const [, names = "", specifier = ""] of module.text.matchAll(/^(?:\(function.*; )?const (\{[^}]*\}) = \$link\("([^"]+)"\);/gm)) {
    const target = module.linked[specifier];
    if (target === undefined) continue;
    for (const name of namesIn(names)) {
      const exported = name.replace(/: .*$/, "");
      if (!exportsOf(target, modules).includes(exported)) throw new SyntaxError(`${target} does not export ${exported}`);
    }
  }
}

/** @param {string} source */
function stripTypes(source) {
  // Node warns that this function may change. If it is gone, nothing is linked.
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return stripTypeScriptTypes(source);
  } finally {
    process.emitWarning = emitWarning;
  }
}
