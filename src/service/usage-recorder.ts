import type { KeyStore } from "../ports/key-store.ts";

/** Collects last uses in memory and writes them in bulk, so that verify itself writes nothing. */
export interface UsageRecorder {
  record(tenant: string, keyId: string, nowMs: number): void;
  /** Writes what is buffered. Rejects where the store does, and keeps the uses for the next time. */
  flush(): Promise<void>;
  /** Keys whose last use waits to be written. */
  readonly queuedCount: number;
  /** Uses that were not recorded because the buffer was full. */
  readonly droppedCount: number;
}

export interface UsageRecorderOptions {
  readonly store: Pick<KeyStore, "touch">;
  /** Keys whose use can be buffered at once. */
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
      for (const [tenant, buffer] of writing) {
        if (buffer.size === 0) continue;
        const uses = Array.from(buffer, ([keyId, lastUsedTimeMs]) => ({ keyId, lastUsedTimeMs }));
        try {
          await store.touch(tenant, uses);
          writing.delete(tenant);
        } catch (error) {
          for (const [failedTenant, failed] of writing) {
            for (const [keyId, lastUsedTimeMs] of failed) record(failedTenant, keyId, lastUsedTimeMs);
          }
          throw error;
        }
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
