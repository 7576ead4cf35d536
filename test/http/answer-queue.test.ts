import type { ServerResponse } from "node:http";
import { setImmediate } from "node:timers/promises";
import { expect, it } from "vitest";
import { createAnswerQueue } from "../../src/http/answer-queue.ts";

function responses() {
  const ended: (string | Uint8Array)[] = [];
  const response = { end: (body: string | Uint8Array) => ended.push(body) } as unknown as ServerResponse;
  return { ended, response };
}

it("sends the responses of one turn together, in order", async () => {
  const { ended, response } = responses();
  const answers = createAnswerQueue();
  for (const body of ["a", "b", "c"]) {
    answers.end(response, body);
    await Promise.resolve();
  }
  expect(ended).toEqual([]);
  await setImmediate();
  expect(ended).toEqual(["a", "b", "c"]);
  answers.end(response, "d");
  await setImmediate();
  expect(ended).toEqual(["a", "b", "c", "d"]);
});

it("lets at most 64 responses wait", async () => {
  const { ended, response } = responses();
  const answers = createAnswerQueue();
  for (let i = 0; i < 100; i += 1) answers.end(response, String(i));
  expect(ended).toHaveLength(64);
  await setImmediate();
  expect(ended).toHaveLength(100);
});
