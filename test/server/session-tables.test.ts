import { once } from "node:events";
import { connect, createServer, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { expect, it } from "vitest";
import { replaceStreamTable } from "../../src/server/session-tables.ts";
import { SlotMap } from "../../src/server/slot-map.ts";
import { runCount } from "../support/run-count.ts";

it("a slot map is a map, also of ids that share a place", () => {
  // 128 places: 1 and 257 share one.
  const id = fc.constantFrom(1, 3, 257, 259, 513, 2 ** 31 - 1);
  const step = fc.tuple(fc.constantFrom("set", "set", "delete", "clear"), id, fc.integer());
  const sorted = (map: Map<number, number>) => [...map].sort(([a], [b]) => a - b);
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const [map, model] = [new SlotMap<number>(), new Map<number, number>()];
      for (const [name, key, value] of steps) {
        if (name === "set") for (const each of [map, model]) each.set(key, value);
        else if (name === "delete") expect(map.delete(key)).toBe(model.delete(key));
        else if (value % 10 === 0) for (const each of [map, model]) each.clear();
        expect([map.size, map.get(key), map.has(key)]).toEqual([model.size, model.get(key), model.has(key)]);
        expect(sorted(map)).toEqual(sorted(model));
      }
      const seen: [number, number][] = [];
      // Node's way to end all streams of a session.
      map.forEach((value, key) => void seen.push([key, value]));
      expect(seen.sort(([a], [b]) => a - b)).toEqual(sorted(model));
      expect([...map.keys()].length + [...map.values()].length).toBe(2 * model.size);
    }),
    { numRuns: runCount(200) },
  );
});

it("Node uses the table: streams in it get their data, and end with the session", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`).on("error", () => {});
  const [session] = (await once(server, "session")) as [ServerHttp2Session];
  expect(replaceStreamTable(session)).toBe(true);
  const request = client.request({ ":method": "POST" }).on("error", () => {});
  request.write("body");
  const [stream] = (await once(server, "stream")) as [ServerHttp2Stream];
  expect(replaceStreamTable(session)).toBe(false);
  stream.on("error", () => {});
  const [data] = await once(stream, "data");
  expect(String(data)).toBe("body");
  session.destroy();
  await once(stream, "close");
  server.close();
});
