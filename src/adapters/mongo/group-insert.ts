import { Failure } from "../../error/failure.ts";
import type { InsertOutcome } from "../../ports/key-store.ts";
import type { Insertion } from "./insertion.ts";

/** Maximum transactions in progress; inserts that arrive meanwhile share the next one. */
const defaultMaxGroups = 4;
const maxKeysPerGroup = 64;

interface Waiting {
  readonly tenant: string;
  readonly insertion: Insertion;
  readonly resolve: (outcome: InsertOutcome) => void;
  readonly reject: (error: unknown) => void;
}

export interface GroupInsert {
  insert(tenant: string, insertion: Insertion): Promise<InsertOutcome>;
  /** Resolves when nothing waits and nothing is in progress. */
  settled(): Promise<void>;
}

/**
 * Lets concurrent inserts share a transaction, because the round trips and the wait for a majority are most of its cost. An insert that the
 * server refuses fails alone.
 */
export function createGroupInsert(
  addAll: (tenant: string, insertions: readonly Insertion[]) => Promise<InsertOutcome[]>,
  maxGroups = defaultMaxGroups,
): GroupInsert {
  const underWay = new Set<Promise<void>>();
  let queue: Waiting[] = [];

  async function insertGroup(tenant: string, group: readonly Waiting[]): Promise<void> {
    try {
      const outcomes = await addAll(
        tenant,
        group.map(({ insertion }) => insertion),
      );
      for (const [index, { resolve }] of group.entries()) resolve(outcomes[index] as InsertOutcome);
    } catch (error) {
      const isOutage = error instanceof Failure;
      if (!isOutage && group.length > 1) {
        for (const waiting of group) await insertGroup(tenant, [waiting]);
        return;
      }
      // The inserts in the queue have waited as long as the store was unavailable; otherwise each would also wait until its own deadline.
      const failed = isOutage ? [...group, ...queue.splice(0)] : group;
      for (const { reject } of failed) reject(error);
    }
  }

  function flush(): void {
    while (queue.length > 0 && underWay.size < maxGroups) {
      const { tenant } = queue[0] as Waiting;
      const group = queue.filter((waiting) => waiting.tenant === tenant).slice(0, maxKeysPerGroup);
      const taken = new Set(group);
      queue = queue.filter((waiting) => !taken.has(waiting));
      const inserting = insertGroup(tenant, group).finally(() => {
        underWay.delete(inserting);
        flush();
      });
      underWay.add(inserting);
    }
  }

  return {
    insert: (tenant, insertion) =>
      new Promise((resolve, reject) => {
        if (queue.length === 0) setImmediate(flush);
        queue.push({ tenant, insertion, resolve, reject });
      }),

    async settled() {
      while (queue.length > 0 || underWay.size > 0) {
        flush();
        await Promise.all(underWay);
      }
    },
  };
}
