import { readFileSync } from "node:fs";

/** Files beside the connections of clients: of the store, the cache and the metrics port, and those that are loaded later. */
const otherFiles = 256;

/** Returns how many files, sockets included, this process may have open. Infinity if the system does not tell. */
export function maxOpenFiles(): number {
  try {
    return Number(/^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1"))?.[1] ?? Number.POSITIVE_INFINITY);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/**
 * Returns the number of client connections that leave enough files for everything else, at least half of all. Without it, anybody could end
 * the process with connections, because nothing can be opened any more.
 */
export function connectionsWithin(maxConnections: number, maxFiles: number): number {
  return Math.min(maxConnections, Math.floor(Math.max(maxFiles - otherFiles, maxFiles / 2)));
}
