// @ts-check
import { createHash } from "node:crypto";
import { existsSync, lstatSync, mkdirSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * A bundle of main.ts and all that it imports.
 * @typedef {object} Bundle
 * @property {string} name Of its folder.
 * @property {readonly string[]} sources What it was made from, as paths from the root of the checkout.
 * @property {string} digest Of the sources.
 */

/** Options of Node that have a say in which code runs, or that watch the sources. */
const loadingOption =
  /^(?:-r|-C|--require|--import|--loader|--experimental-loader|--conditions|--preserve-symlinks|--no-(?:experimental-)?strip-types|--watch)/;
/** Making a bundle takes a second. */
const makingTimeoutMs = 30_000;

/**
 * Returns the bundle of the sources as they are now, and makes it if there is none. Returns null if it cannot be made or kept: without the
 * bundler, which is a development dependency, or if the folder is not writable. Then main.ts runs from the sources, and does the same.
 *
 * Anybody who can write to node_modules can change the code anyway, so a bundle there is as safe as the code.
 * @param {string} root The checkout.
 * @returns {string | null} Its folder.
 */
export function openBundle(root) {
  const options = [...process.execArgv, ...(process.env.NODE_OPTIONS ?? "").split(/[\s"]+/)];
  if (process.env.NODE_DISABLE_COMPILE_CACHE !== undefined || options.some((option) => loadingOption.test(option))) return null;
  const bundles = join(root, "node_modules/.cache/keywright/bundles");
  const current = currentBundle(root, bundles) ?? (makeBundle(root, bundles) ? currentBundle(root, bundles) : null);
  return current === null ? null : join(bundles, current.name);
}

/**
 * Returns null if there is no whole bundle, or if a source or a bundled package has changed since.
 * @param {string} root
 * @param {string} bundles
 * @returns {Bundle | null}
 */
function currentBundle(root, bundles) {
  try {
    if (!isPrivate(root, bundles)) return null;
    /** @type {Bundle} */
    const bundle = JSON.parse(readFileSync(join(bundles, "current.json"), "utf8"));
    const isCurrent = digestOf(bundle.sources, (path) => readFileSync(`${root}/${path}`)) === bundle.digest;
    return isCurrent && existsSync(join(bundles, bundle.name, "main.cjs")) ? bundle : null;
  } catch {
    return null;
  }
}

/**
 * Returns whether it made one.
 * @param {string} root
 * @param {string} bundles
 */
function makeBundle(root, bundles) {
  if (!existsSync(join(root, "node_modules/rolldown"))) return false;
  try {
    mkdirSync(dirname(bundles), { recursive: true });
    mkdirSync(bundles, { recursive: true, mode: 0o700 });
    if (!isPrivate(root, bundles)) return false;
  } catch {
    return false;
  }
  try {
    const { execFileSync } = process.getBuiltinModule("node:child_process");
    // In a process of its own, because the bundler's memory and threads stay until the process ends. It does not see the settings.
    const env = process.env.SystemRoot === undefined ? {} : { SystemRoot: process.env.SystemRoot };
    /** @type {import("node:child_process").ExecFileSyncOptions} */
    const options = { env, timeout: makingTimeoutMs, stdio: ["ignore", "ignore", "pipe"] };
    execFileSync(process.execPath, [join(root, "src/start/make-bundle.js"), bundles], options);
    return true;
  } catch (error) {
    process.emitWarning(`no bundle could be made, so the start takes longer: ${/** @type {Error} */ (error).message}`);
    return false;
  }
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

/**
 * Whether only this user or root can write to the folder, and the folder belongs to this checkout and not, by a link, to another one. Windows
 * has neither owners nor modes here.
 * @param {string} root
 * @param {string} folder
 */
function isPrivate(root, folder) {
  const status = lstatSync(folder);
  const own = process.getuid?.();
  const isSafe = own === undefined || ((status.uid === 0 || status.uid === own) && (status.mode & 0o022) === 0);
  return isSafe && status.isDirectory() && realpathSync(folder) === join(realpathSync(root), folder.slice(root.length));
}
