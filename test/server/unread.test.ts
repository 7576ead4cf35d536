import { connect } from "node:http2";
import { expect, it } from "vitest";
import { unreadToCut } from "../../src/server/unread.ts";
import { longTimes, raw, serve, until } from "./support.ts";

const kib = 1024;

it("cuts the oldest responses of the network that leaves the most unread", () => {
  const unread = (sink: string, bytes: number) => ({ sink, bytes, number: Number(sink[1]) });
  const all = [unread("a3", 30), unread("b1", 10), unread("a2", 30), unread("b2", 10), unread("a1", 30)];
  const cut = (maxBytes: number): string[] => unreadToCut(all, maxBytes, ([network = ""]) => network);
  expect(cut(110)).toEqual([]);
  expect(cut(109)).toEqual(["a1"]);
  expect(cut(50)).toEqual(["a1", "a2"]);
  expect(cut(15)).toEqual(["a1", "a2", "a3", "b1"]);
});

it.each(["HTTP/2", "HTTP/1.1"])("bounds the responses that clients leave unread over %s", async (version) => {
  const body = Buffer.alloc(64 * kib);
  const answered = { ended: 0, closed: 0 };
  await using server = await serve(
    (_request, response) => {
      answered.ended += 1;
      response.once("close", () => {
        answered.closed += 1;
      });
      response.end(version === "HTTP/2" ? body : Buffer.alloc(8192 * kib));
    },
    { ...longTimes, checkIntervalMs: 50, maxUnreadBytes: version === "HTTP/2" ? 256 * kib : 16_384 * kib },
  );
  if (version === "HTTP/2") {
    const session = connect(`http://127.0.0.1:${server.port}`, { settings: { initialWindowSize: 0 } });
    for (let count = 0; count < 10; count += 1) session.request().on("error", () => {});
    await until(() => answered.ended === 10 && answered.closed === 6);
    session.destroy();
  } else {
    const clients = Array.from({ length: 6 }, () => raw(server.port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    for (const { socket } of clients) socket.pause();
    await until(() => answered.ended === 6 && answered.closed >= 3);
    for (const { socket } of clients) socket.destroy();
  }
});
