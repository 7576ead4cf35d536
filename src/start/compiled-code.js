// @ts-check
import { randomUUID } from "node:crypto";
import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { constants, enableCompileCache, flushCompileCache } from "node:module";
import { join } from "node:path";

/** A process that has lived for so long has run what the first calls need. */
const servedForMs = 2000;

/**
 * Loads the compiled code of a bundle if an earlier process has left it, or leaves it for later ones. Node keeps what was compiled until
 * the process ends and never adds to it, so the code of a process that ended early, after `--version` or a wrong setting, is not kept.
 * @param {string} bundle
 */
export function keepCompiledCode(bundle) {
  const kept = join(bundle, "code");
  if (existsSync(kept)) {
    enableCompileCache(kept);
    return;
  }
  const own = `${kept}.${randomUUID()}`;
  // NODE_COMPILE_CACHE names another folder.
  if (enableCompileCache(own).status !== constants.compileCacheStatus.ENABLED) return;
  const startedMs = performance.now();
  process.once("exit", () => {
    try {
      flushCompileCache();
      if (performance.now() - startedMs > servedForMs) renameSync(own, kept);
      // Also what processes have left that were killed.
      for (const name of readdirSync(bundle)) if (name.startsWith("code.")) rmSync(join(bundle, name), { recursive: true, force: true });
    } catch {
      // Another process was first, or the folder is not writable.
      rmSync(own, { recursive: true, force: true });
    }
  });
}
