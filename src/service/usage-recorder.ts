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

/**
 * Maximum uses per write. A write of all that a busy second leaves behind would hold up the event loop, and could miss the store's
 * deadline. Not a write per tenant: with a thousand of them, that would keep the store busy.
 */
export const maxUsesPerWrite = 500;

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
      const parts = partsOf(writing);
      for (let part = parts.next(); !part.done; part = parts.next()) {
        try {
          await store.touch(part.value);
        } catch (error) {
          for (const uses of [part.value, ...parts])
            for (const { tenant, keyId, lastUsedTimeMs } of uses) record(tenant, keyId, lastUsedTimeMs);
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

function* partsOf(buffers: ReadonlyMap<string, ReadonlyMap<string, number>>): Generator<LastUse[], undefined> {
  let part: LastUse[] = [];
  for (const [tenant, buffer] of buffers) {
    for (const [keyId, lastUsedTimeMs] of buffer) {
      part.push({ tenant, keyId, lastUsedTimeMs });
      if (part.length < maxUsesPerWrite) continue;
      yield part;
      part = [];
    }
  }
  if (part.length > 0) yield part;
}
