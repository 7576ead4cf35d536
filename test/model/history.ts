import type { KeyRecord } from "../../src/core/key.ts";

/** A change that was acknowledged: from then on nobody may go below this revision, beyond the bound. */
export interface Acknowledged {
  readonly revision: number;
  readonly process: number;
  readonly life: number;
  readonly begunMs: number;
  readonly atMs: number;
}

/** What happened to keys: every state that the store held, and what was acknowledged. */
export interface History {
  committed(keyId: string, revision: number, record: KeyRecord | null): void;
  acknowledged(keyId: string, change: Acknowledged): void;
  changesOf(keyId: string): readonly Acknowledged[];
  /** The newest revision that an answer can stand for: `null` where it says that there is no such key. */
  newestFor(keyId: string, record: KeyRecord | null): number;
}

export function createHistory(): History {
  const absences = new Map<string, number>();
  const changes = new Map<string, Acknowledged[]>();
  return {
    committed(keyId, revision, record) {
      if (record === null) absences.set(keyId, revision);
    },
    acknowledged(keyId, change) {
      const known = changes.get(keyId) ?? [];
      known.push(change);
      changes.set(keyId, known);
    },
    changesOf: (keyId) => changes.get(keyId) ?? [],
    newestFor: (keyId, record) => record?.revision ?? absences.get(keyId) ?? 0,
  };
}
