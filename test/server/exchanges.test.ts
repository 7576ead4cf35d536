import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { createExchanges } from "../../src/server/exchanges.ts";
import { quickLimits, raw, until } from "./support.ts";

it("forgets all of a client's pipelined requests when it disconnects, and answered ones at once", async () => {
  const exchanges = createExchanges(quickLimits);
  const waiting: ServerResponse[] = [];
  const server = createServer((_request, response) => {
    exchanges.add(response);
    waiting.push(response);
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const client = raw((server.address() as AddressInfo).port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(5));
  await until(() => waiting.length === 5);
  expect(exchanges.count()).toBe(5);
  waiting[0]?.end("ok");
  await until(() => exchanges.count() === 4);
  client.socket.resetAndDestroy();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  await until(() => exchanges.count() === 0, quickLimits.requestTimeoutMs);
});
