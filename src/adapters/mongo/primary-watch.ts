import type { MongoClient, ServerDescription, TopologyDescription } from "mongodb";

/** Kinds of servers that take reads and writes of a store. */
const serving: ReadonlySet<string> = new Set(["RSPrimary", "Mongos", "Standalone", "LoadBalancer"]);

/**
 * Follows what the driver knows of the servers. The returned function says why no operation can be sent, for the log, or "" if one can. At
 * the deadline of an operation the driver itself only says that it was aborted, which looks the same for a slow server, a set without a
 * primary and a certificate that has expired.
 */
export function watchPrimary(client: Pick<MongoClient, "on">): () => string {
  let description: TopologyDescription | undefined;
  client.on("topologyDescriptionChanged", ({ newDescription }) => {
    description = newDescription;
  });
  return () => {
    const servers = [...(description?.servers.values() ?? [])];
    if (servers.some(({ type }) => serving.has(type))) return "";
    return `; no primary was found${servers.flatMap(problemOf).join("")}`;
  };
}

function problemOf({ address, error }: ServerDescription): string[] {
  return error === null || error === undefined ? [] : [`; ${address}: ${error.message}`];
}
