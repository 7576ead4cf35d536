import { expect, test } from "vitest";
import { createHealthLog } from "../../src/composition/health-log.ts";
import { createHealthState } from "../../src/server/health/health-state.ts";

test("the line for a store that does not answer says why", async () => {
  const lines: unknown[] = [];
  const log = { info: (_fields: object, text: string) => lines.push(text), error: (fields: object) => lines.push(fields) };
  let answer: Promise<void> = Promise.resolve();
  let elapse = () => {};
  const healthLog = createHealthLog(() => answer, log);
  const timer = (_delayMs: number, run: () => void) => {
    elapse = run;
    return () => {};
  };
  const state = createHealthState({ ping: healthLog.ping, timer, intervalMs: 1, timeoutMs: 1 });
  await state.check();
  const stop = healthLog.follow(state);
  const error = new Error("refused");
  answer = Promise.reject(error);
  await state.check();
  answer = Promise.resolve();
  await state.check();
  for (const end of [(late: PromiseWithResolvers<void>) => late.reject(error), (late: PromiseWithResolvers<void>) => late.resolve()]) {
    const hanging = Promise.withResolvers<void>();
    answer = hanging.promise;
    const checked = state.check();
    elapse();
    await checked;
    end(hanging);
    await hanging.promise.catch(() => {});
    answer = Promise.resolve();
    await state.check();
  }
  stop();
  const again = "the store answers again; ready";
  expect(lines).toEqual([{ error }, again, { error }, again, { reason: "no answer in time" }, again]);
});
