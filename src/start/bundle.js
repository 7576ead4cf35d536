// @ts-check
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, lstatSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/**
 * A bundle of main.ts and all that it imports.
 * @typedef {object} Bundle
 * @property {string} name Of its folder.
 * @property {readonly string[]} sources What it was made from, as paths from the root of the checkout.
 * @property {string} digest Of the sources.
 */

/** Options of Node that have a say in which code runs. */
const loadingOption =
  /^(?:-r|-C|--require|--import|--loader|--experimental-loader|--conditions|--preserve-symlinks|--no-(?:experimental-)?strip-types)/;

/**
 * Returns the bundle of the sources as they are now, and makes it if there is none. Returns null if it cannot be made or kept: without the
 * bundler, which is a development dependency, or if the folder is not writable. Then main.ts runs from the sources, and does the same.
 *
 * Anybody who can write to node_modules can change the code anyway, so a bundle there is as safe as the code.
 * @param {string} root The checkout.
 * @returns {{ folder: string, entry: string } | null}
 */
export function openBundle(root) {
  const options = [...process.execArgv, ...(process.env.NODE_OPTIONS ?? "").split(/[\s"]+/)];
  if (process.env.NODE_DISABLE_COMPILE_CACHE !== undefined || options.some((option) => loadingOption.test(option))) return null;
  const bundles = join(root, "node_modules/.cache/keywright/bundles");
  try {
    const current = currentBundle(root, bundles) ?? makeBundle(root, bundles);
    if (current === null) return null;
    const folder = join(bundles, current.name);
    return { folder, entry: pathToFileURL(join(folder, "main.mjs")).href };
  } catch {
    return null;
  }
}

/**
 * Returns null if there is no bundle, or if a source or an installed package has changed since.
 * @param {string} root
 * @param {string} bundles
 * @returns {Bundle | null}
 */
function currentBundle(root, bundles) {
  const file = join(bundles, "current.json");
  if (!existsSync(file) || !isPrivate(bundles)) return null;
  /** @type {Bundle} */
  const bundle = JSON.parse(readFileSync(file, "utf8"));
  return digestOf(bundle.sources, (path) => readIfThere(join(root, path))) === bundle.digest ? bundle : null;
}

/**
 * @param {string} root
 * @param {string} bundles
 */
function makeBundle(root, bundles) {
  if (!existsSync(join(root, "node_modules/rolldown"))) return null;
  mkdirSync(bundles, { recursive: true, mode: 0o700 });
  if (!isPrivate(bundles)) return null;
  // In a process of its own, because the bundler's memory and threads stay until the process ends.
  execFileSync(process.execPath, [join(root, "src/start/make-bundle.js"), bundles], { stdio: "ignore" });
  return currentBundle(root, bundles);
}

/**
 * @param {readonly string[]} paths
 * @param {(path: string) => Uint8Array} read
 */
export function digestOf(paths, read) {
  const hash = createHash("sha256").update(process.version);
  for (const path of paths) {
    const bytes = read(path);
    hash.update(`\n${path} ${bytes.length}\n`).update(bytes);
  }
  return hash.digest("base64");
}

/** @param {string} path */
function readIfThere(path) {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}

/**
 * Whether only this user or root can write to the folder. Windows has neither owners nor modes here.
 * @param {string} folder
 */
function isPrivate(folder) {
  const status = lstatSync(folder);
  const own = process.getuid?.();
  return status.isDirectory() && (own === undefined || ((status.uid === 0 || status.uid === own) && (status.mode & 0o022) === 0));
}
