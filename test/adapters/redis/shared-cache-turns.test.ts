import { expect, test, vi } from "vitest";
import type { Circuit } from "../../../src/adapters/redis/circuit.ts";
import { createRedisSharedCache } from "../../../src/adapters/redis/shared-cache.ts";
import { turnsOfProcess } from "../../../src/turns.ts";

test("a single announcement does not wait for a turn behind long work; many do", async () => {
  let attempts = 0;
  const circuit: Circuit = {
    link: null,
    async attempt() {
      attempts += 1;
      return null;
    },
    attach() {},
    close() {},
  };
  const cache = createRedisSharedCache(circuit, { namespace: "n", uri: "redis://unused" });
  const changes = (count: number) =>
    Array.from({ length: count }, (_, index) => [`K${index}`, { record: null, revision: 2, deadlineMs: Date.now() + 60_000 }] as const);
  using isOver = vi.spyOn(turnsOfProcess, "isOver").mockReturnValue(true);
  const one = cache.announce(1, "t", changes(1));
  expect(attempts).toBe(1);
  const many = cache.announce(1, "t", changes(100));
  expect(attempts).toBe(1);
  expect(isOver).toHaveBeenCalled();
  await Promise.all([one, many]);
  expect(attempts).toBe(2);
});
