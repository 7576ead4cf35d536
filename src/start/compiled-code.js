// @ts-check
import { randomUUID } from "node:crypto";
import { existsSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { constants, enableCompileCache, flushCompileCache } from "node:module";
import { join } from "node:path";

/** A process that has lived for so long has run what the first calls need. */
const servedForMs = 2000;
const dayMs = 24 * 60 * 60 * 1000;

/**
 * Loads the compiled code of a bundle if an earlier process has left it, or leaves it for later ones. Node keeps what was compiled until
 * the process ends and never adds to it, so the code of a process that ended early, after `--version` or a wrong setting, is not kept.
 *
 * Node keeps compiled code for each user apart.
 * @param {string} bundle
 */
export function keepCompiledCode(bundle) {
  const kept = join(bundle, `code-${process.getuid?.() ?? "all"}`);
  if (existsSync(kept)) {
    enableCompileCache(kept);
    return;
  }
  const own = `${kept}.${randomUUID()}`;
  // NODE_COMPILE_CACHE names another folder.
  if (enableCompileCache(own).status !== constants.compileCacheStatus.ENABLED) return;
  const startedMs = performance.now();
  process.once("exit", () => {
    flushCompileCache();
    try {
      if (performance.now() - startedMs > servedForMs) renameSync(own, kept);
    } catch {
      // Another process was first.
    }
    try {
      rmSync(own, { recursive: true, force: true });
      removeLeft(bundle);
    } catch {
      // An error here would be the process's exit code. An installation may have removed the folder.
    }
  });
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
