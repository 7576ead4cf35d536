/** This many documents of the largest size still fit into one reply. */
const maxKeysPerRead = 64;

interface Waiting<T> {
  readonly id: string;
  readonly resolve: (found: T | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Lets the reads of one turn of the event loop share a round trip, because most of a read's cost in the driver and the server is per
 * command. The read starts after all of its callers asked, so each sees what was acknowledged before it asked.
 */
export function createGroupRead<T>(readMany: (ids: readonly string[]) => Promise<ReadonlyMap<string, T>>, maxKeys = maxKeysPerRead) {
  let queue: Waiting<T>[] = [];

  async function readGroup(group: readonly Waiting<T>[]): Promise<void> {
    try {
      const found = await readMany(group.map(({ id }) => id));
      for (const { id, resolve } of group) resolve(found.get(id));
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }

  function flush(): void {
    const waiting = queue;
    queue = [];
    for (let start = 0; start < waiting.length; start += maxKeys) void readGroup(waiting.slice(start, start + maxKeys));
  }

  return (id: string): Promise<T | undefined> =>
    new Promise((resolve, reject) => {
      if (queue.length === 0) setImmediate(flush);
      queue.push({ id, resolve, reject });
    });
}
