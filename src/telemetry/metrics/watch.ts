import type { CacheTrust } from "../../cache/trust.ts";
import type { Tokens } from "../../core/token/tokens.ts";
import type { Log } from "../../ports/log.ts";
import type { SharedCache } from "../../ports/shared-cache.ts";
import type { TokenKeySource } from "../../ports/token-keys.ts";
import type { RefusalRecorder } from "../../service/refusal-recorder.ts";
import type { UsageRecorder } from "../../service/usage-recorder.ts";
import type { Metrics } from "./metrics.ts";

/** Values that are only read at a scrape. */
export interface Watched {
  readonly trust: Pick<CacheTrust, "mode" | "epoch">;
  readonly shared: Pick<SharedCache, "cacheId"> | null;
  readonly usage: Pick<UsageRecorder, "queuedCount" | "droppedCount">;
  readonly tokens: Pick<Tokens, "signatures">;
  readonly tokenKeys: Pick<TokenKeySource, "failedRefreshCount">;
  readonly refusals: Pick<RefusalRecorder, "suppressedCount">;
  readonly bodies: { heldBytes(): number; refusedCount(): number };
  readonly log: Pick<Log, "droppedCount">;
  readonly tls: { expireTimeMs(): number };
  readonly connections: {
    readonly count: () => number;
    readonly refusedCount: Readonly<Record<"address" | "process" | "displaced", number>>;
  };
}

const trustModes = ["leased", "grace", "none"] as const;

/** Adds the values that must be read at every scrape. */
export function watch(metrics: Metrics, watched: Watched): void {
  const { trust, shared, usage, tokens, tokenKeys, refusals, bodies, log, connections, tls } = watched;
  metrics.registry.onScrape(() => {
    metrics.connections.of().value = connections.count();
    for (const [reason, refused] of Object.entries(connections.refusedCount)) metrics.connectionsRefused.of(reason).value = refused;
    metrics.bodyBytes.of().value = bodies.heldBytes();
    metrics.bodiesRefused.of().value = bodies.refusedCount();
    metrics.tokenSignatures.of("checked").value = tokens.signatures.checked;
    metrics.tokenSignatures.of("remembered").value = tokens.signatures.remembered;
    metrics.signingKeysFailures.of().value = tokenKeys.failedRefreshCount;
    metrics.auditSuppressed.of().value = refusals.suppressedCount;
    metrics.logDropped.of().value = log.droppedCount;
    metrics.certificateExpiry.of().value = tls.expireTimeMs() / 1000;
    metrics.lastUsedQueue.of().value = usage.queuedCount;
    metrics.lastUsedDropped.of().value = usage.droppedCount;
    metrics.cacheDoubts.of().value = trust.epoch;
    const mode = trust.mode();
    for (const candidate of trustModes) metrics.cacheTrust.of(candidate).value = Number(candidate === mode);
    if (shared !== null) metrics.redisConnected.of().value = Number(shared.cacheId !== null);
  });
}
