import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { until } from "../support/cache-listener.ts";
import { attackBesideCustomer } from "./beside-customer.ts";
import { attackerAddress, openConnections, openSession, openStreams, probe } from "./crowd.ts";
import { frame, frameTypes, headerBlock, preface } from "./http2-wire.ts";

const probeAddress = "127.0.0.3";
const watchHeaders = { ":path": "/grpc.health.v1.Health/Watch", "content-type": "application/grpc" };
const emptyMessage = Buffer.alloc(5);
const startHttp2 = Buffer.concat([preface, frame(frameTypes.settings, 0, 0)]).toString("latin1");

/** Sends health probes from another address, during and after the attack. Returns their HTTP statuses. */
async function probes(port: number): Promise<number[]> {
  const statuses: number[] = [];
  for (let count = 0; count < 10; count += 1) {
    statuses.push(await probe(port, count % 2 === 0 ? "/health/alive" : "/health/ready", probeAddress));
    // Spread over some time of the attack.
    await sleep(20);
  }
  return statuses;
}

const allOk = Array.from({ length: 10 }, () => 200);

/** As many connections as the process may have: the first crowd with the usual limits, the others with a tenth of them. */
const crowds: readonly (readonly [name: string, count: number, bytes: string])[] = [
  ["that send nothing", 10_000, ""],
  ["with the start of a request", 1000, "GET / HTTP/1.1\r\n"],
  ["with a response to GET /health/alive", 1000, "GET /health/alive HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["of HTTP/2 without streams", 1000, startHttp2],
];

test.each(crowds)("connections of one address, %s, lock out nobody else (%i)", { timeout: 120_000 }, async (name, count, bytes) => {
  let statuses: number[] = [];
  let log = "";
  const limits = { KEYWRIGHT_MAX_CONNECTIONS: String(count), KEYWRIGHT_MAX_CONNECTIONS_PER_ADDRESS: String(count / 10) };
  const outcome = await attackBesideCustomer(`${count} connections ${name}`, { env: limits }, async (server) => {
    const sockets = await openConnections(server.port, count, attackerAddress, bytes);
    statuses = await probes(server.port);
    await until(() => server.output().includes("connections refused"), "refused connections are logged");
    log = server.output();
    for (const socket of sockets) socket.destroy();
  });
  expect(statuses).toEqual(allOk);
  expect(outcome.customerErrors).toEqual([]);
  expect(log).toContain(`"lastNetwork":"${attackerAddress}"`);
  expect(log.split("connections refused")).toHaveLength(2);
});

test("100 Watch streams on each of 40 connections cost little, and health answers others", { timeout: 120_000 }, async () => {
  let open = 0;
  let statuses: number[] = [];
  const outcome = await attackBesideCustomer("4,000 Watch streams", {}, async (server) => {
    for (let session = 0; session < 40; session += 1) {
      open += await openStreams(openSession(server.port, attackerAddress), 100, watchHeaders, emptyMessage, true);
    }
    statuses = await probes(server.port);
    const other = openSession(server.port, probeAddress);
    expect(await openStreams(other, 1, watchHeaders, emptyMessage, true)).toBe(1);
    other.destroy();
  });
  expect(open).toBeLessThanOrEqual(1000);
  expect(open).toBeGreaterThan(0);
  expect(statuses).toEqual(allOk);
  expect(outcome.customerErrors).toEqual([]);
  expect(outcome.memoryPeakMiB - outcome.memoryBeforeMiB).toBeLessThan(150);
});

test("100 calls without a body on each of 30 connections use little memory, and others are answered", { timeout: 120_000 }, async () => {
  const headers = { ":path": "/keywright.v2alpha1.ApiKeysService/GetJwks", "content-type": "application/grpc" };
  let statuses: number[] = [];
  const outcome = await attackBesideCustomer("3,000 calls without a body", {}, async (server) => {
    for (let session = 0; session < 30; session += 1) {
      await openStreams(openSession(server.port, attackerAddress), 100, headers, Buffer.alloc(1), false);
    }
    statuses = await probes(server.port);
  });
  expect(statuses).toEqual(allOk);
  expect(outcome.customerErrors).toEqual([]);
  expect(outcome.memoryPeakMiB - outcome.memoryBeforeMiB).toBeLessThan(100);
});

test("a flood of resets on many connections is stopped, and the customer is not affected", { timeout: 120_000 }, async () => {
  const block = headerBlock([
    [":method", "POST"],
    [":scheme", "http"],
    [":path", "/v2alpha1/admin/apiKeys:verify"],
    [":authority", "localhost"],
  ]);
  const pairs = Array.from({ length: 5_000 }, (_, index) => [
    frame(frameTypes.headers, 0x5, 1 + 2 * index, block),
    frame(frameTypes.reset, 0, 1 + 2 * index, Buffer.from([0, 0, 0, 8])),
  ]).flat();
  const flood = Buffer.concat([Buffer.from(startHttp2, "latin1"), ...pairs]).toString("latin1");
  const outcome = await attackBesideCustomer("rapid reset, 20 connections", {}, async (server) => {
    for (let count = 0; count < 20; count += 1) {
      const [socket] = await openConnections(server.port, 1, attackerAddress, "");
      const closed = new Promise((resolve) => socket?.once("close", resolve));
      socket?.write(flood, "latin1");
      await closed;
    }
  });
  expect(outcome.customerErrors).toEqual([]);
});
