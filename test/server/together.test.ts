import { setImmediate } from "node:timers/promises";
import { expect, it } from "vitest";
import { createAnswerQueue } from "../../src/http/answer-queue.ts";
import { sendAnswer } from "../../src/http/json-answer.ts";
import { together } from "../../src/server/together.ts";
import { raw, serve } from "./support.ts";

it("hands on what comes in one turn together, in order", async () => {
  const steps: string[] = [];
  const add = together((item: string) => {
    steps.push(item);
    queueMicrotask(() => steps.push(`after ${item}`));
  });
  add("a");
  await Promise.resolve();
  add("b");
  expect(steps).toEqual([]);
  await setImmediate();
  expect(steps).toEqual(["a", "b", "after a", "after b"]);
  add("c");
  await setImmediate();
  expect(steps.slice(4)).toEqual(["c", "after c"]);
});

it("answers clients that close their side right after their request", async () => {
  const answers = createAnswerQueue();
  const ok = { status: 200, location: undefined, text: "{}" };
  await using server = await serve((request, response) => {
    request.resume().on("end", () => sendAnswer(request, response, ok, {}, answers));
  });
  const clients = Array.from({ length: 100 }, () => raw(server.port));
  for (const { socket } of clients) socket.end("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}");
  for (const client of clients) expect((await client.closed()).toString("latin1", 0, 12)).toBe("HTTP/1.1 200");
});
