import { expect, test } from "vitest";
import { createFlights, type Flight } from "../../src/cache/flights.ts";

/** Flights whose loads end when the test says so. */
function setup() {
  let nowMs = 0;
  const flights = createFlights<string>(() => nowMs);
  const loads: { readonly flight: Flight; readonly end: PromiseWithResolvers<string> }[] = [];
  const load = (flight: Flight) => {
    const end = Promise.withResolvers<string>();
    loads.push({ flight, end });
    return end.promise;
  };
  const join = (keyId = "key", epoch = 0, tenant = "tenant") => flights.join(tenant, keyId, epoch, load);
  const start = (keyId = "key", epoch = 0) => flights.start("tenant", keyId, epoch, load);
  return { flights, loads, join, start, pass: (ms: number) => (nowMs += ms) };
}

test("loads of one key at one epoch are one load, and all get its answer", async () => {
  const { loads, join } = setup();
  const answers = [join(), join(), join()];
  expect(loads).toHaveLength(1);
  loads[0]?.end.resolve("answer");
  expect(await Promise.all(answers)).toEqual(["answer", "answer", "answer"]);
  void join();
  expect(loads).toHaveLength(2);
});

test("other keys, tenants and epochs have loads of their own", () => {
  const { loads, join } = setup();
  void join("a");
  void join("b");
  void join("a", 0, "another");
  void join("a", 1);
  expect(loads).toHaveLength(4);
});

test("a load is joined for half a second", () => {
  const { loads, join, pass } = setup();
  void join();
  pass(499);
  void join();
  expect(loads).toHaveLength(1);
  pass(1);
  void join();
  expect(loads).toHaveLength(2);
});

test("start joins nothing, but is joined", () => {
  const { loads, join, start } = setup();
  void join();
  void start();
  void start();
  expect(loads).toHaveLength(3);
  void join();
  expect(loads).toHaveLength(3);
});

test("a superseded load is told so and not joined; later ones of the key are not superseded by it", async () => {
  const { flights, loads, join, start } = setup();
  const old = join();
  void start();
  const other = join("other");
  flights.supersede("tenant", "key");
  const fresh = join();
  expect(loads.map(({ flight }) => flight.superseded)).toEqual([true, true, false, false]);
  for (const [index, { end }] of loads.entries()) end.resolve(`load ${index}`);
  expect(await Promise.all([old, other, fresh])).toEqual(["load 0", "load 2", "load 3"]);
});

test("a load that fails is everybody's failure who joined it, and nobody's later", async () => {
  const { loads, join } = setup();
  const answers = [join(), join()];
  loads[0]?.end.reject(new Error("down"));
  expect((await Promise.allSettled(answers)).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  void join();
  expect(loads).toHaveLength(2);
});
