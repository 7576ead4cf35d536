// @ts-check
import { hash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { canWrite, readPack, writePack } from "./pack.js";
import { createRunner } from "./run.js";

/** @typedef {import("./pack.js").Pack} Pack */

/** A process that lived for so long has called what the first calls need. */
const servedForMs = 10_000;
/** Options of Node that have a say in which code runs: it is then loaded as Node does it. */
const loadingOption =
  /^(?:-r|-C|--require|--import|--loader|--experimental-loader|--conditions|--preserve-symlinks|--no-(?:experimental-)?strip-types)/;

/**
 * Node takes as long to find, read and connect modules one by one as to run them. So the sources are kept in one file, as functions, with
 * the code that V8 compiled from them. The file is used only if it was made from the very bytes that the sources have now.
 *
 * Returns null if the modules cannot be linked or kept. Then Node loads them one by one, with the same result.
 * @param {string} root The checkout, with a slash at its end.
 * @param {string} entry A module, as a path from there.
 * @param {string} file
 */
export async function openLinked(root, entry, file) {
  const options = [...process.execArgv, ...(process.env.NODE_OPTIONS ?? "").split(/[\s"]+/)];
  if (process.env.NODE_DISABLE_COMPILE_CACHE !== undefined || options.some((option) => loadingOption.test(option))) return null;
  try {
    const kept = readPack(file);
    const pack = kept !== null && isCurrent(root, kept) ? kept : await makePack(root, entry, file, kept);
    if (pack === null) return null;
    const runner = createRunner(root, pack.modules, pack.code);
    if (!pack.isComplete) process.once("exit", () => keepCode(file, pack, runner));
    return runner;
  } catch {
    return null;
  }
}

/**
 * Whether the pack was made from what the files are now.
 * @param {string} root
 * @param {Pack} pack
 */
export function isCurrent(root, { modules, watched }) {
  for (const { id, digest } of modules.values()) if (digestOf(root, id) !== digest) return false;
  return areCurrent(root, watched);
}

/**
 * @param {string} root
 * @param {Record<string, string>} digests
 */
function areCurrent(root, digests) {
  return Object.entries(digests).every(([path, digest]) => digestOf(root, path) === digest);
}

/**
 * @param {string} root
 * @param {string} entry
 * @param {string} file
 * @param {Pack | null} earlier
 * @returns {Promise<Pack | null>}
 */
async function makePack(root, entry, file, earlier) {
  if (!canWrite(file)) return null;
  const { link } = await import("./link.js");
  const isSameLinker = earlier !== null && areCurrent(root, earlier.watched);
  const modules = link(root, entry, isSameLinker ? earlier.modules : new Map());
  const packages = Array.from(modules.keys(), (id) => /^node_modules\/(?:@[^/]+\/)?[^/]+\//.exec(id)?.[0]);
  const paths = readdirSync(import.meta.dirname).map((name) => `src/start/${name}`);
  for (const folder of new Set(packages)) if (folder !== undefined) paths.push(`${folder}package.json`);
  const watched = Object.fromEntries(paths.map((path) => [path, digestOf(root, path)]));
  const pack = { modules, code: new Map(), watched, isComplete: false };
  writePack(file, pack);
  return pack;
}

/**
 * Keeps compiled code. A process that ends early keeps it only if there is none, and the primary process of several not what it
 * did not run.
 * @param {string} file
 * @param {Pack} pack
 * @param {Pick<ReturnType<typeof createRunner>, "compiledCode">} runner
 */
function keepCode(file, pack, runner) {
  const isComplete = performance.now() > servedForMs;
  if (!isComplete && pack.code.size > 0) return;
  try {
    if (!canWrite(file) || readPack(file)?.isComplete === true) return;
    writePack(file, { ...pack, code: runner.compiledCode(), isComplete });
  } catch {
    // The next start compiles again.
  }
}

/**
 * Returns the digest of a file, and of nothing if there is none.
 * @param {string} root
 * @param {string} path
 */
function digestOf(root, path) {
  try {
    // Text, because Node reads it in half the time.
    return hash("sha256", readFileSync(`${root}${path}`, "utf8"), "base64");
  } catch {
    return "";
  }
}
