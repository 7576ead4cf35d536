import { expect, test } from "vitest";
import { createFlights, type Flight } from "../../src/cache/flights.ts";

/** Flights that end when the test says so. */
function setup() {
  let nowMs = 0;
  const flights = createFlights<string>(() => nowMs);
  const loads: Flight<string>[] = [];
  const begin = (tenant: string, keyId: string, epoch: number) => {
    const flight = flights.start(tenant, keyId, epoch);
    loads.push(flight);
    return flight;
  };
  const join = (keyId = "key", epoch = 0, tenant = "tenant") => (flights.find(tenant, keyId, epoch) ?? begin(tenant, keyId, epoch)).result;
  const start = (keyId = "key", epoch = 0) => begin("tenant", keyId, epoch).result;
  return { flights, loads, join, start, pass: (ms: number) => (nowMs += ms) };
}

test("loads of one key in one epoch share one load and its result", async () => {
  const { loads, join } = setup();
  const answers = [join(), join(), join()];
  expect(loads).toHaveLength(1);
  loads[0]?.land("answer");
  expect(await Promise.all(answers)).toEqual(["answer", "answer", "answer"]);
  void join();
  expect(loads).toHaveLength(2);
});

test("other keys, tenants and epochs have separate loads", () => {
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

test("start joins no load, but others join it", () => {
  const { loads, join, start } = setup();
  void join();
  void start();
  void start();
  expect(loads).toHaveLength(3);
  void join();
  expect(loads).toHaveLength(3);
});

test("a superseded load is marked and not joined; later ones of the key are not superseded by it", async () => {
  const { flights, loads, join, start } = setup();
  const old = join();
  void start();
  const other = join("other");
  flights.supersede("tenant", "key");
  const fresh = join();
  expect(loads.map(({ superseded }) => superseded)).toEqual([true, true, false, false]);
  for (const [index, flight] of loads.entries()) flight.land(`load ${index}`);
  expect(await Promise.all([old, other, fresh])).toEqual(["load 0", "load 2", "load 3"]);
});

test("a load that fails fails for all that joined it, and for no later ones", async () => {
  const { loads, join } = setup();
  const answers = [join(), join()];
  loads[0]?.fail(new Error("down"));
  expect((await Promise.allSettled(answers)).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  void join();
  expect(loads).toHaveLength(2);
});
