import { describe, test } from "vitest";
import { serverBinary } from "../../scripts/test-servers.ts";

/**
 * `describe` for tests that start their own redis-servers. If none can be started, one skipped test gives the reason; in CI that is an
 * error. Await it at the top of a test file.
 */
export async function describeOnRedis(name: string, body: () => void): Promise<void> {
  const unavailable = await serverBinary("redis-server").then(
    () => null,
    (error: Error) => {
      if (process.env.CI !== undefined) throw error;
      return error.message;
    },
  );
  describe(name, () => {
    if (unavailable === null) body();
    else test.skip(`needs redis-server: ${unavailable}`, () => {});
  });
}
