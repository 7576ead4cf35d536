import { connect } from "node:net";
import { expect, it } from "vitest";
import { connectionsWithin, maxOpenFiles } from "../../src/server/open-files.ts";
import { startServerHere } from "../support/server-here.ts";
import { until } from "./support.ts";

it("reads how many files the process may have open", () => {
  const { userLimits } = process.report.getReport() as { readonly userLimits: Record<string, Record<string, unknown>> };
  const soft = userLimits.open_files?.soft;
  expect(maxOpenFiles()).toBe(soft === "unlimited" ? Number.POSITIVE_INFINITY : Number(soft));
});

it("leaves files for everything else, and no fewer than half of them for connections", () => {
  expect(connectionsWithin(10_000, Number.POSITIVE_INFINITY)).toBe(10_000);
  expect(connectionsWithin(10_000, 4096)).toBe(3840);
  expect(connectionsWithin(10_000, 256)).toBe(128);
  expect(connectionsWithin(100, 4096)).toBe(100);
});

it("answers an address of its own while others hold as many connections as the process may open", async () => {
  await using server = await startServerHere({}, { maxOpenFiles: () => 40 });
  expect(server.output()).toContain('"maxConnections":20');
  const others = Array.from({ length: 60 }, (_, index) => {
    const socket = connect({ port: server.port, host: "127.0.0.1", localAddress: `127.0.0.${2 + (index % 2)}` });
    return socket.on("error", () => {}).resume();
  });
  // One of the 20 places is kept for addresses with few connections, so 19 of the 60 stay.
  await until(() => others.filter(({ destroyed }) => destroyed).length >= 41);
  expect((await fetch(`${server.url}/health/alive`)).status).toBe(200);
  for (const socket of others) socket.destroy();
});
