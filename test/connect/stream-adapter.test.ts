import { expect, test } from "vitest";
import { Health } from "../../gen/grpc/health/v1/health_pb.ts";
import { createStreamAdapter } from "../../src/connect/streams/stream-adapter.ts";

test("after loading the handlers failed, the next call tries again, and later calls use what was loaded", async () => {
  const reported: unknown[] = [];
  let loads = 0;
  const register = () => {
    loads++;
    if (loads === 1) throw new Error("not this time");
  };
  const options = { streams: [{ methods: [Health.method.watch], register }], reportError: (error: unknown) => reported.push(error) };
  const adapter = createStreamAdapter(options as never);
  for (const calls of [1, 2, 3]) {
    const request = { method: "POST", headers: { "content-type": "application/grpc" }, httpVersionMajor: 2 };
    const response = { destroyed: false, closed: false, destroy: () => {} };
    adapter.serve("/grpc.health.v1.Health/Watch", request as never, response as never);
    // The test registers no handler, so each call fails, but only the first one while loading.
    await expect.poll(() => reported.length).toBe(calls);
  }
  expect(String(reported[0])).toBe("Error: not this time");
  expect(loads).toBe(2);
  expect(String(reported[1])).not.toContain("not this time");
});
