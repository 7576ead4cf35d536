import type { Redis } from "ioredis";
import { UnusableServerError } from "./failures.ts";
import { slotCount } from "./slot.ts";
import type { RedisAddress } from "./uri.ts";

/** Which master holds which slots, as one node of a cluster sees it. */
export interface ClusterView {
  readonly masters: readonly RedisAddress[];
  /** Index into `masters`, by slot. */
  readonly masterBySlot: Uint16Array;
  /** Equal for nodes that agree. It holds node ids, because each node may know the others by different addresses. */
  readonly fingerprint: string;
}

/**
 * Asks one node for its view. `asked` is the node's address, used if the node does not know its own. Rejects with UnusableServerError if
 * the cluster does not serve all slots.
 */
export async function readClusterView(client: Redis, asked: RedisAddress): Promise<ClusterView> {
  const [slots, info] = await Promise.all([client.call("CLUSTER", "SLOTS"), client.call("CLUSTER", "INFO")]);
  if (!String(info).includes("cluster_state:ok")) throw new UnusableServerError("the cluster is down");
  const ranges = slots as [number, number, [string | null, number, string]][];
  const masters: RedisAddress[] = [];
  const indexById = new Map<string, number>();
  const masterBySlot = new Uint16Array(slotCount);
  const parts: string[] = [];
  let covered = 0;
  for (const [first, last, [host, port, id]] of ranges) {
    let index = indexById.get(id);
    if (index === undefined) {
      index = masters.push({ host: host === null || host === "" ? asked.host : host, port }) - 1;
      indexById.set(id, index);
    }
    masterBySlot.fill(index, first, last + 1);
    covered += last - first + 1;
    parts.push(`${first}-${last} ${id}`);
  }
  if (covered !== slotCount) throw new UnusableServerError("the cluster has slots without a master");
  return { masters, masterBySlot, fingerprint: parts.sort().join("\n") };
}
