import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { UnusableServerError } from "../../../src/adapters/redis/failures.ts";
import type { Link } from "../../../src/adapters/redis/link.ts";
import { keepLink } from "../../../src/adapters/redis/link-keeper.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A keeper whose attempts to open a link have these outcomes: a text is the reason of a failure. Lists what it logs. */
function keeperOf(outcomes: readonly (Link | string)[]) {
  const lines: string[] = [];
  const left = [...outcomes];
  const log = {
    info: (_fields: unknown, message: string) => lines.push(message),
    warn: ({ reason }: { readonly reason?: unknown }, message: string) => lines.push(`${message.split(";")[0]}: ${reason}`),
  };
  const open = async () => {
    const outcome = left.shift();
    if (typeof outcome === "object") return outcome;
    throw new UnusableServerError(outcome);
  };
  return { keeper: keepLink({ open, onLateEnd: () => {}, random: () => 0.5, monotonicMs: Date.now, log }), lines };
}

const linkTo = (cacheId: string) => ({ cacheId, evictionPolicy: null, attach() {}, close() {} }) as unknown as Link;
const lost = new UnusableServerError("no answer in time");

test("a server that loses one link after the other is one outage in the log, which ends once a link lasts", async () => {
  const links = ["a", "b", "c", "d"].map(linkTo);
  const { keeper, lines } = keeperOf(links);
  await vi.advanceTimersByTimeAsync(3000);
  for (const link of links.slice(0, 3)) {
    expect(keeper.current).toBe(link);
    keeper.lose(link, lost);
    await vi.advanceTimersByTimeAsync(1000);
  }
  expect(lines).toEqual(["the Redis cache is connected", "lost the Redis cache: no answer in time"]);
  await vi.advanceTimersByTimeAsync(2000);
  expect(lines.slice(2)).toEqual(["the Redis cache is connected"]);
  keeper.lose(links[3] as Link, lost);
  expect(lines.slice(3)).toEqual(["lost the Redis cache: no answer in time"]);
  keeper.close();
});

test("each reason why the server cannot be reached is logged once in an outage", async () => {
  const link = linkTo("a");
  const { keeper, lines } = keeperOf([link, "refused", "refused", "wrong password", "refused", "wrong password"]);
  await vi.advanceTimersByTimeAsync(3000);
  keeper.lose(link, lost);
  await vi.advanceTimersByTimeAsync(4000);
  keeper.close();
  expect(lines.slice(2)).toEqual(["cannot reach the Redis cache: refused", "cannot reach the Redis cache: wrong password"]);
});
