// @ts-check
import { randomUUID } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { constants, enableCompileCache, flushCompileCache } from "node:module";
import { basename, join } from "node:path";
import { crc32 } from "node:zlib";

/** After this time a process has run the code that first calls need, and V8 still has the code that only the start needs. */
const servedForMs = 2000;
const dayMs = 24 * 60 * 60 * 1000;
const checksumBytes = 4;

/**
 * Compiled code of the files of a bundle.
 * @typedef {object} CompiledCode
 * @property {(name: string) => Buffer | undefined} read
 * @property {(name: string, script: import("node:vm").Script) => void} add Keeps the code of this file too, if this process keeps any.
 */

/**
 * Opens the compiled code of a bundle that an earlier process has left, or leaves it for later ones, with that of packages, which Node keeps.
 * A process that ends early, after `--version` or a wrong setting, leaves none, because later processes add nothing to it.
 *
 * Node keeps compiled code for each user apart, and so does this.
 * @param {string} bundle
 * @returns {CompiledCode}
 */
export function openCompiledCode(bundle) {
  const kept = join(bundle, `code-${process.getuid?.() ?? "all"}`);
  if (existsSync(kept)) {
    enableCompileCache(kept);
    return { read: (name) => readCode(fileOf(kept, name)), add: () => {} };
  }
  const own = `${kept}.${randomUUID()}`;
  // NODE_COMPILE_CACHE names another folder.
  if (enableCompileCache(own).status !== constants.compileCacheStatus.ENABLED) return { read: () => undefined, add: () => {} };
  /** @type {Map<string, import("node:vm").Script>} */
  const scripts = new Map();
  const startedMs = performance.now();
  let isKept = false;
  const keep = () => {
    if (isKept || performance.now() - startedMs < servedForMs) return;
    isKept = true;
    try {
      flushCompileCache();
      for (const [name, script] of scripts) writeCode(fileOf(own, name), script.createCachedData());
      scripts.clear();
      renameSync(own, kept);
    } catch {
      // Another process was first, or an installation has removed the folder.
    }
  };
  setTimeout(keep, servedForMs + 1).unref();
  process.once("exit", () => {
    keep();
    try {
      rmSync(own, { recursive: true, force: true });
      removeLeft(bundle);
    } catch {
      // An error here would be the process's exit code.
    }
  });
  return { read: () => undefined, add: (name, script) => void scripts.set(name, script) };
}

/**
 * @param {string} folder
 * @param {string} name
 */
function fileOf(folder, name) {
  return join(folder, `${basename(name)}.code`);
}

/**
 * V8 does not notice damage, such as that of a loss of power, so there is a checksum before the code.
 * @param {string} file
 * @param {Buffer} code
 */
function writeCode(file, code) {
  const checksum = Buffer.alloc(checksumBytes);
  checksum.writeUInt32LE(crc32(code));
  writeFileSync(file, Buffer.concat([checksum, code]));
}

/** @param {string} file */
function readCode(file) {
  try {
    const bytes = readFileSync(file);
    const code = bytes.subarray(checksumBytes);
    return crc32(code) === bytes.readUInt32LE() ? code : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Removes what killed processes have left.
 * @param {string} bundle
 */
function removeLeft(bundle) {
  for (const name of readdirSync(bundle)) {
    const path = join(bundle, name);
    if (name.includes(".") && name.startsWith("code-") && statSync(path).mtimeMs < Date.now() - dayMs)
      rmSync(path, { recursive: true, force: true });
  }
}
