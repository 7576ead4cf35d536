import type { KeyStore, LastUse } from "../ports/key-store.ts";

/** Collects the last uses of keys in memory and writes them in bulk, so that a verification itself writes nothing. */
export interface UsageRecorder {
  record(tenant: string, keyId: string, nowMs: number): void;
  /** Writes the buffered uses. If the store rejects, this rejects too, and the uses stay in the buffer. */
  flush(): Promise<void>;
  /** Number of keys whose last use is not written yet. */
  readonly queuedCount: number;
  /** Number of uses that were not recorded because the buffer was full. */
  readonly droppedCount: number;
}

export interface UsageRecorderOptions {
  readonly store: Pick<KeyStore, "touch">;
  /** Maximum number of keys in the buffer. */
  readonly maxKeys: number;
}

export function createUsageRecorder({ store, maxKeys }: UsageRecorderOptions): UsageRecorder {
  let buffers = new Map<string, Map<string, number>>();
  let keyCount = 0;
  let droppedCount = 0;

  const record = (tenant: string, keyId: string, nowMs: number) => {
    let buffer = buffers.get(tenant);
    if (buffer === undefined) {
      buffer = new Map();
      buffers.set(tenant, buffer);
    }
    const known = buffer.get(keyId);
    if (known === undefined) {
      if (keyCount >= maxKeys) {
        droppedCount += 1;
        return;
      }
      keyCount += 1;
    }
    if (known === undefined || known < nowMs) buffer.set(keyId, nowMs);
  };

  return {
    record,

    async flush() {
      const writing = buffers;
      buffers = new Map();
      keyCount = 0;
      const uses: LastUse[] = [];
      for (const [tenant, buffer] of writing) for (const [keyId, lastUsedTimeMs] of buffer) uses.push({ tenant, keyId, lastUsedTimeMs });
      if (uses.length === 0) return;
      try {
        // All tenants in one write: with a thousand of them, a write for each would keep the store busy.
        await store.touch(uses);
      } catch (error) {
        for (const { tenant, keyId, lastUsedTimeMs } of uses) record(tenant, keyId, lastUsedTimeMs);
        throw error;
      }
    },

    get queuedCount() {
      return keyCount;
    },

    get droppedCount() {
      return droppedCount;
    },
  };
}
