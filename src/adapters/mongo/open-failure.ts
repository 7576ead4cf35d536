import { MongoServerSelectionError } from "mongodb";
import { missingRight } from "./errors.ts";

/** Returns why the store cannot be opened, and what to do, where the driver only says that it found no server in time. May hold a URI. */
export function openFailure(error: Error, setName: string | undefined): string {
  if (!(error instanceof MongoServerSelectionError)) return missingRight(error) ?? error.message;
  const servers = [...(error.reason?.servers.values() ?? [])];
  if (servers.some(({ type }) => type === "RSGhost")) return notInitiated;
  if (setName !== undefined && servers.length === 0) {
    return `no server is a member of the replica set ${setName}; check replicaSet in the URI, and that mongod was started with --replSet`;
  }
  if (servers.some(({ type }) => type === "RSSecondary")) return `the replica set has no primary (${error.message})`;
  return `${error.message}; check the hosts and ports in the URI, and that mongod runs there and can be reached`;
}

export const notInitiated = "its replica set is not initiated; run rs.initiate() on one member";
export const standalone =
  "it is a standalone mongod; Keywright requires a replica set (one member is enough) or a sharded cluster. Start mongod with --replSet";
