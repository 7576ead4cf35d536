import cluster from "node:cluster";

/** False in a worker. */
export const { isPrimary } = cluster;
/** Increases with every worker; undefined in the primary. */
export const workerId = cluster.worker?.id;
