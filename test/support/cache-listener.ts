import { setTimeout as sleep } from "node:timers/promises";
import type { SharedCache, SharedCacheListener } from "../../src/ports/shared-cache.ts";

export type HeardEvent =
  | { readonly kind: "change"; readonly tenant: string; readonly keyId: string; readonly revision: number }
  | { readonly kind: "beat"; readonly beatId: string; readonly cacheId: string }
  | { readonly kind: "gap" };

/** Records what a shared cache reports, in order. */
export function recordingListener(): SharedCacheListener & { readonly heard: HeardEvent[] } {
  const heard: HeardEvent[] = [];
  return {
    heard,
    onChange: (tenant, keyId, revision) => heard.push({ kind: "change", tenant, keyId, revision }),
    onBeat: (beatId, cacheId) => heard.push({ kind: "beat", beatId, cacheId }),
    onGap: () => heard.push({ kind: "gap" }),
  };
}

/** Waits until the condition holds. Rejects after `timeoutMs`. */
export async function until(holds: () => boolean | Promise<boolean>, what: string, timeoutMs = 30_000): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > deadlineMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(5);
  }
}

/** Returns the cache's id, once it has one that is not `other`. */
export async function connected(cache: SharedCache, other: string | null = null, timeoutMs = 40_000): Promise<string> {
  await until(() => cache.cacheId !== null && cache.cacheId !== other, "connected to another server", timeoutMs);
  return cache.cacheId as string;
}
