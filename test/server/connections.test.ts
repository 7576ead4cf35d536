import { EventEmitter } from "node:events";
import { Agent as HttpAgent, get as httpGet } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { Agent as HttpsAgent, get as httpsGet } from "node:https";
import { connect, type Socket } from "node:net";
import { Writable } from "node:stream";
import { connect as connectTls } from "node:tls";
import { expect, it } from "vitest";
import { cidr } from "../../src/config/parsers.ts";
import { connectionOf } from "../../src/http/message.ts";
import { createAppConnections } from "../../src/server/app-connections.ts";
import { createConnections, type RefusedConnections } from "../../src/server/connections.ts";
import { createListener } from "../../src/server/listener.ts";
import { selfSigned } from "../support/certificates.ts";
import { quickLimits, raw, serve, until } from "./support.ts";

const settings = { maxConnections: 100, maxConnectionsPerAddress: 10, trustedProxies: [] };
let nextPort = 1;

/** The parts of a socket that the limits use: its addresses, and `close`. */
function socketFrom(remoteAddress: string): Socket {
  return Object.assign(new EventEmitter(), { remoteAddress, remotePort: nextPort++, localAddress: "192.0.2.1" }) as unknown as Socket;
}

const ignore = (): void => {};

it("gives each IPv4 address and each IPv6 /64 its share", () => {
  const { connections } = createAppConnections(settings, ignore);
  const taken = (address: string): boolean => connections.take(socketFrom(address));
  expect(Array.from({ length: 11 }, () => taken("192.0.2.7"))).toEqual([...Array.from({ length: 10 }, () => true), false]);
  expect(taken("::ffff:192.0.2.7")).toBe(false);
  expect(taken("192.0.2.8")).toBe(true);
  expect(Array.from({ length: 11 }, (_, index) => taken(`2001:db8:1:2::${index}`)).filter(Boolean)).toHaveLength(10);
  expect(taken("2001:db8:1:2:ffff::1")).toBe(false);
  expect(taken("2001:db8:1:3::1")).toBe(true);
  expect(connections.count()).toBe(22);
  expect(connections.refusedCount).toEqual({ address: 4, process: 0, displaced: 0 });
});

it("releases places", () => {
  const { connections } = createAppConnections(settings, ignore);
  const sockets = Array.from({ length: 10 }, () => socketFrom("192.0.2.7"));
  for (const socket of sockets) connections.take(socket);
  expect(connections.take(socketFrom("192.0.2.7"))).toBe(false);
  for (const socket of sockets) socket.emit("close");
  expect(connections.count()).toBe(0);
  expect(connections.take(socketFrom("192.0.2.7"))).toBe(true);
});

it("counts no share for trusted proxies", () => {
  const trustedProxies = [cidr("192.0.2.0/24")];
  const { connections } = createAppConnections({ ...settings, trustedProxies }, ignore);
  const takes = Array.from({ length: 99 }, () => connections.take(socketFrom("192.0.2.7")));
  expect(takes.every(Boolean)).toBe(true);
});

it("no longer counts connections with a valid token, up to half of all", () => {
  const { connections } = createAppConnections(settings, ignore);
  for (let count = 0; count < 50; count += 1) {
    const socket = socketFrom("192.0.2.7");
    expect(connections.take(socket)).toBe(true);
    connections.identify(socket, socket);
    connections.setKnown(socket);
    connections.setKnown(socket);
  }
  expect(connections.take(socketFrom("192.0.2.7"))).toBe(false);
});

it("reserves the last places for addresses with few connections", () => {
  const { limits } = createAppConnections(settings, ignore);
  const connections = createConnections({
    limits: { ...limits, reservedConnections: 20, reservedPerAddress: 2 },
    shareOf: (address) => address,
    onRefused: ignore,
  });
  for (let address = 0; address < 8; address += 1) {
    for (let count = 0; count < 10; count += 1) connections.take(socketFrom(`192.0.2.${address}`));
  }
  expect(connections.count()).toBe(80);
  expect(connections.take(socketFrom("192.0.2.0"))).toBe(false);
  expect(Array.from({ length: 3 }, () => connections.take(socketFrom("198.51.100.1")))).toEqual([true, true, false]);
  expect(connections.refusedCount).toEqual({ address: 1, process: 1, displaced: 0 });
});

/** Fills all places from some addresses, with up to ten connections each, and returns how to take more. */
function crowded(trustedProxies: readonly string[] = []) {
  const { connections } = createAppConnections({ ...settings, trustedProxies }, ignore);
  const take = (address: string) => {
    const destroyed = { value: false };
    const socket = Object.assign(socketFrom(address), { destroy: () => Object.assign(destroyed, { value: true }) });
    const isTaken = connections.take(socket as unknown as Socket);
    connections.identify(socket, socket);
    return { socket, isTaken, destroyed };
  };
  const all = Array.from({ length: 99 }, (_, index) => take(`192.0.2.${index % 13}`));
  return { connections, take, all };
}

it("gives an address with few connections the place of the oldest anonymous connection", () => {
  const { connections, take, all } = crowded();
  all.push(take("192.0.2.12"));
  expect(all.every(({ isTaken }) => isTaken)).toBe(true);
  connections.setKnown(all[0]?.socket as object);
  const later = take("198.51.100.1");
  expect(later.isTaken).toBe(true);
  expect(all.map(({ destroyed }) => destroyed.value).indexOf(true)).toBe(1);
  all[1]?.socket.emit("close");
  connections.setKnown(all[1]?.socket as object);
  expect(connections.count()).toBe(100);
  expect(connections.refusedCount).toEqual({ address: 0, process: 0, displaced: 1 });
  for (const { socket } of [...all, later]) connections.setKnown(socket);
  expect(take("198.51.100.2").isTaken).toBe(false);
  expect(connections.count()).toBe(100);
});

it("lets strangers with many connections displace nobody, whether or not the places kept for others are free", () => {
  const { connections, take, all } = crowded();
  // This address has eight.
  expect(take("192.0.2.2").isTaken).toBe(false);
  all.push(take("198.51.100.1"));
  expect(take("192.0.2.2").isTaken).toBe(false);
  expect(all.some(({ destroyed }) => destroyed.value)).toBe(false);
  expect(connections.refusedCount).toEqual({ address: 0, process: 2, displaced: 0 });
});

it("makes room for trusted proxies, and for addresses that have shown a valid token, up to half of all places", () => {
  const { connections, take, all } = crowded([cidr("203.0.113.1/32")]);
  expect(take("203.0.113.1").isTaken).toBe(true);
  expect(all[0]?.destroyed.value).toBe(true);
  connections.setKnown(all[2]?.socket as object);
  const isTaken = Array.from({ length: 60 }, () => {
    const { socket, isTaken } = take("192.0.2.2");
    if (isTaken) connections.setKnown(socket);
    return isTaken;
  });
  // It had eight, and three of these were displaced.
  expect(isTaken.indexOf(false)).toBe(45);
  expect(connections.refusedCount.process).toBe(0);
  // One valid token does not let the strangers at its address displace others.
  connections.setKnown(take("198.51.100.1").socket);
  const strangers = Array.from({ length: 10 }, () => take("198.51.100.1").isTaken);
  expect(strangers.filter(Boolean)).toHaveLength(8);
});

it("reports refusals at intervals, with their number", () => {
  const reports: RefusedConnections[] = [];
  const { connections } = createAppConnections(settings, (refused) => reports.push(refused));
  connections.check();
  for (let count = 0; count < 15; count += 1) connections.take(socketFrom("192.0.2.7"));
  for (let check = 0; check < 30; check += 1) connections.check();
  expect(reports).toEqual([{ address: 5, process: 0, displaced: 0, lastNetwork: "192.0.2.7" }]);
  connections.take(socketFrom("192.0.2.7"));
  for (let check = 0; check < 60; check += 1) connections.check();
  expect(reports).toHaveLength(2);
});

it("limits the requests in progress on connections without a valid token", () => {
  const { connections, limits } = createAppConnections(settings, ignore);
  const socket = socketFrom("192.0.2.7");
  connections.take(socket);
  connections.identify(socket, socket);
  const answers = Array.from({ length: limits.maxAnonymousRequestsPerAddress }, () => new Writable());
  for (const answer of answers) expect(connections.takeRequest(socket, answer)).toBe(true);
  expect(connections.takeRequest(socket, new Writable())).toBe(false);
  answers[0]?.emit("close");
  expect(connections.takeRequest(socket, new Writable())).toBe(true);
  connections.setKnown(socket);
  expect(connections.takeRequest(socket, new Writable())).toBe(true);
});

it("reserves the last requests for addresses with few of them", () => {
  const { limits } = createAppConnections(settings, ignore);
  const connections = createConnections({
    limits: { ...limits, maxAnonymousRequests: 100, maxAnonymousRequestsPerAddress: 25, reservedRequests: 20, reservedPerAddress: 2 },
    shareOf: (address) => address,
    onRefused: ignore,
  });
  const ask = (address: string, count: number): number => {
    const socket = socketFrom(address);
    connections.take(socket);
    connections.identify(socket, socket);
    return Array.from({ length: count }, () => connections.takeRequest(socket, new Writable())).filter(Boolean).length;
  };
  expect(["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"].map((address) => ask(address, 30))).toEqual([25, 25, 25, 5]);
  expect(ask("192.0.2.1", 1)).toBe(0);
  expect([ask("198.51.100.1", 3), ask("198.51.100.2", 3)]).toEqual([2, 2]);
});

it("gives an address with few requests the place of the oldest one, unless that has shown a valid token", () => {
  const { limits } = createAppConnections(settings, ignore);
  const connections = createConnections({
    limits: { ...limits, maxAnonymousRequests: 3, reservedRequests: 1, reservedPerAddress: 2 },
    shareOf: (address) => address,
    onRefused: ignore,
  });
  const ask = (address: string) => {
    const socket = socketFrom(address);
    connections.take(socket);
    connections.identify(socket, socket);
    const answer = new Writable();
    return { socket, answer, isTaken: connections.takeRequest(socket, answer) };
  };
  const [known, oldest, ...later] = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"].map((address) => {
    const asked = ask(address);
    if (address === "192.0.2.1") connections.setKnown(asked.socket);
    return asked;
  });
  expect([known, oldest, ...later].map((asked) => asked?.isTaken)).toEqual([true, true, true, true, true]);
  expect([known, oldest, ...later].map((asked) => asked?.answer.destroyed)).toEqual([false, true, false, false, false]);
});

it("closes anonymous connections after a short idle time, and refuses one address while it answers another", async () => {
  await using server = await serve((_request, response) => response.end("ok"), {
    anonymousIdleMs: 300,
    keepAliveIdleMs: 60_000,
    maxConnectionsPerAddress: 3,
  });
  const request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  const crowd = Array.from({ length: 5 }, () => connect({ port: server.port, host: "127.0.0.1", localAddress: "127.0.0.2" }));
  const closed: Socket[] = [];
  for (const socket of crowd) {
    socket.on("error", () => {}).on("close", () => closed.push(socket));
    socket.resume();
    socket.write(request);
  }
  await until(() => closed.length === 2);
  const other = raw(server.port, request);
  await until(() => other.received().toString().endsWith("ok"));
  await until(() => closed.length === 5, 5_000);
  await other.closed();
});

it.each([
  ["HTTP/1.1", false, false],
  ["HTTP/2", false, true],
  ["HTTP/1.1 over TLS", true, false],
  ["HTTP/2 over TLS", true, true],
])("recognises the connection of a call with a valid token: %s", async (_name, isTls, isHttp2) => {
  const tls = selfSigned("localhost");
  const limits = { ...quickLimits, anonymousIdleMs: 300, sessionIdleMs: 60_000, keepAliveIdleMs: 60_000 };
  const connections = createConnections({ limits, shareOf: (address) => address, onRefused: ignore });
  const listener = createListener({
    handler(request, response) {
      if (request.url === "/known") connections.setKnown(connectionOf(request) as object);
      response.end("ok");
    },
    limits,
    connections,
    tls: isTls ? tls : undefined,
  });
  const { port } = await listener.listen("127.0.0.1", 0);
  const url = `${isTls ? "https" : "http"}://127.0.0.1:${port}`;
  const trust = { ca: tls.cert, servername: "localhost" };
  const agent = isTls ? new HttpsAgent({ ...trust, keepAlive: true }) : new HttpAgent({ ...trust, keepAlive: true });
  const session = isHttp2 ? connectHttp2(url, trust).on("error", ignore) : undefined;
  const ask = (path: string): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (session !== undefined) session.request({ ":path": path }).on("error", reject).on("end", resolve).resume();
      else
        (isTls ? httpsGet : httpGet)(`${url}${path}`, { agent, ...trust }, (answer) => answer.resume().on("end", resolve)).on(
          "error",
          reject,
        );
    });
  // The other one is closed after a short time, and so would the first be by then.
  await ask("/known");
  const anonymous = isTls ? connectTls({ host: "127.0.0.1", port, ca: tls.cert, servername: "localhost" }) : connect(port, "127.0.0.1");
  anonymous.on("error", ignore).resume();
  anonymous.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await new Promise((resolve) => anonymous.on("close", resolve));
  await until(() => connections.count() === 1);
  await ask("/");
  expect(connections.count()).toBe(1);
  agent.destroy();
  session?.destroy();
  await listener.drain(0);
});
