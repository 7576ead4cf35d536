import { readClusterView } from "./cluster.ts";
import { type ConnectionOptions, openConnection } from "./connection.ts";
import { UnusableServerError } from "./failures.ts";
import { createSentinels } from "./sentinel.ts";
import { withTimeout } from "./timeout.ts";
import type { RedisAddress, RedisTarget } from "./uri.ts";

/** The servers that make up the cache at one moment. */
export interface Servers {
  /** One, or the masters of a cluster. */
  readonly masters: readonly RedisAddress[];
  readonly cluster: { readonly masterBySlot: Uint16Array; readonly fingerprint: string } | null;
}

export interface Topology {
  /** Finds the servers. Rejects if that fails; a later call asks another server first. */
  find(): Promise<Servers>;
  /** Returns whether these are still the current servers, as far as other servers know. May take long; never rejects. */
  stillHolds(servers: Servers): Promise<boolean>;
  close(): void;
}

/** `timeoutMs` applies to each question. */
export function createTopology(target: RedisTarget, options: ConnectionOptions, timeoutMs: number): Topology {
  switch (target.topology) {
    case "single":
      return { find: async () => ({ masters: target.seeds, cluster: null }), stillHolds: async () => true, close: () => {} };
    case "sentinel":
      return sentinelTopology(target, options, timeoutMs);
    case "cluster":
      return clusterTopology(target, options, timeoutMs);
  }
}

/**
 * A master that the sentinels gave up on may still answer clients that reach it, so the sentinels are asked again and again. If none of
 * them can be reached, the current master is kept, because that alone is no evidence against it.
 */
function sentinelTopology(target: RedisTarget, options: ConnectionOptions, timeoutMs: number): Topology {
  const sentinels = createSentinels(target.seeds, target.masterName, { ...options, login: target.sentinelLogin, db: 0 }, timeoutMs);
  return {
    find: async () => ({ masters: [await sentinels.master()], cluster: null }),
    async stillHolds({ masters: [held] }) {
      try {
        const { host, port } = await sentinels.master();
        return host === held?.host && port === held.port;
      } catch {
        return true;
      }
    },
    close: sentinels.close,
  };
}

function clusterTopology(target: RedisTarget, options: ConnectionOptions, timeoutMs: number): Topology {
  let known: readonly RedisAddress[] = [];
  let turn = 0;
  return {
    async find() {
      const candidates = [...target.seeds, ...known];
      for (let tries = 0; tries < candidates.length; tries += 1) {
        const address = candidates[turn % candidates.length] as RedisAddress;
        turn += 1;
        try {
          const client = await openConnection(address, options);
          try {
            const { masters, masterBySlot, fingerprint } = await withTimeout(timeoutMs, readClusterView(client, address));
            known = masters;
            return { masters, cluster: { masterBySlot, fingerprint } };
          } finally {
            client.disconnect();
          }
        } catch {
          // The next one may know the slots.
        }
      }
      throw new UnusableServerError("no node of the cluster can say where the slots are");
    },
    // The holder of the connections asks the nodes itself.
    stillHolds: async () => true,
    close: () => {},
  };
}
