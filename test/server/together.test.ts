import { setImmediate } from "node:timers/promises";
import { expect, it } from "vitest";
import { createAnswerQueue } from "../../src/http/answer-queue.ts";
import { sendAnswer } from "../../src/http/json-answer.ts";
import { together } from "../../src/server/together.ts";
import { longTimes, raw, serve, until } from "./support.ts";

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

it.each([0, 5])("answers clients that close their side right after their request, %i turns later", async (turns) => {
  const answers = createAnswerQueue();
  const ok = { status: 200, location: undefined, text: "{}" };
  await using server = await serve((request, response) => {
    const answer = async (): Promise<void> => {
      for (let turn = 0; turn < turns; turn += 1) await setImmediate();
      sendAnswer(request, response, ok, {}, answers);
    };
    request.resume().on("end", () => (turns === 0 ? sendAnswer(request, response, ok, {}, answers) : void answer()));
  });
  const clients = Array.from({ length: 100 }, () => raw(server.port));
  const request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}";
  for (const { socket } of clients) socket.end(request.repeat(2));
  for (const client of clients) expect((await client.closed()).toString().match(/HTTP\/1.1 200/g)).toHaveLength(2);
  await until(() => server.listener.connectionCount() === 0);
});

it("ends the calls of clients that closed their side and get no response soon", async () => {
  let ended = 0;
  await using server = await serve((_request, response) => response.once("close", () => (ended += 1)), longTimes);
  const client = raw(server.port);
  client.socket.end("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2));
  expect(await client.closed()).toHaveLength(0);
  await until(() => ended === 2 && server.listener.connectionCount() === 0);
});
