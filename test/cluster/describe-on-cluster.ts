import { afterAll, beforeAll, describe, test } from "vitest";
import { serverBinary } from "../../scripts/test-servers.ts";
import { type Cluster, type ClusterOptions, startCluster } from "./cluster.ts";

/**
 * `describe` with a cluster, which exists from the first hook or test on. If it cannot be started, one skipped test gives the reason; in CI
 * that is an error. Await it at the top of a test file.
 */
export async function describeOnCluster(name: string, options: ClusterOptions, body: (cluster: () => Cluster) => void): Promise<void> {
  const unavailable = await Promise.all([serverBinary("mongod"), serverBinary("redis-server")]).then(
    () => null,
    (error: Error) => {
      if (process.env.CI !== undefined) throw error;
      return error.message;
    },
  );
  describe(name, () => {
    if (unavailable !== null) {
      test.skip(`needs MongoDB and Redis: ${unavailable}`, () => {});
      return;
    }
    let started: Cluster | undefined;
    beforeAll(async () => {
      started = await startCluster(options);
    });
    afterAll(() => started?.[Symbol.asyncDispose]());
    body(() => {
      if (started === undefined) throw new Error("the cluster is started before the first test, not while tests are collected");
      return started;
    });
  });
}
