import fc from "fast-check";
import type { Mutation } from "./mutant.ts";
import { type Fault, type Operation, type Path, type Scenario, type Step, scenariosOf } from "./scenario.ts";

/** Bugs by description, each made by small changes of the source. */
export const mutations: Readonly<Record<string, readonly Mutation[]>> = {
  "the generation rule is removed: a change counts as guaranteed whatever the shared cache was told": [
    { file: "src/cache/settlement.ts", text: "await beginAfter(current);", becomes: "" },
  ],
  "the proven-alive rule is removed: in-process entries are served without a heartbeat": [
    {
      file: "src/cache/trust.ts",
      text: "const proofAgeMs = heartbeats.proofAgeMs(nowMs);",
      becomes: "const proofAgeMs = 0;",
    },
  ],
  "in-process entries outlive a gap in the subscription": [
    { file: "src/cache/trust.ts", text: "onGap: known.doubt,", becomes: "onGap: () => {}," },
  ],
  "the generation's lease counts from the answer": [
    {
      file: "src/cache/generation-questions.ts",
      text: "confirm(generation, asked.atMs)",
      becomes: "confirm(generation, contact.ask().atMs)",
    },
  ],
  "the store is treated as lost only because its last answer is old": [
    { file: "src/cache/store-contact.ts", text: "ticks - answeredTick >= ticksUntilLost", becomes: "true" },
  ],
  "the heartbeat's lease counts from its return": [
    { file: "src/cache/heartbeats.ts", text: "Math.max(provenSinceMs, sentMs)", becomes: "monotonicMs()" },
    {
      file: "src/cache/heartbeats.ts",
      text: "if (nowMs - sentMs > leaseMs) sentMsByBeat.delete(beatId)",
      becomes: "void [beatId, sentMs]",
    },
  ],
  "another run of the cache server is trusted": [
    { file: "src/cache/trust.ts", text: "&& cacheId !== null && cacheId === known.current.cacheId ?", becomes: "&& cacheId !== null ?" },
    { file: "src/cache/settlement.ts", text: "&& last.cacheId === current.cacheId", becomes: "" },
  ],
  "the generation is read before the change is made": [
    {
      file: "src/cache/announce.ts",
      text: "const askedMs = clock();\n    return async",
      becomes: "const askedMs = clock();\n    const early = trust.readEarly();\n    early.catch(() => {});\n    return async",
    },
    { file: "src/cache/announce.ts", text: "trust.settle(announced, mayTryAgain", becomes: "trust.settle(announced, early, mayTryAgain" },
    {
      file: "src/cache/settlement.ts",
      text: "const settle = async (announced: Announced | null, announceAgain?: AnnounceAgain): Promise<void> => {",
      becomes: "const settle = async (announced, early, announceAgain) => {",
    },
    { file: "src/cache/trust.ts", text: "    settle,\n", becomes: "    settle,\n    readEarly: () => options.generations.read(),\n" },
    { file: "src/cache/settlement.ts", text: "const current = await read();", becomes: "const current = await (early ?? read());" },
  ],
  "a change is announced again as it was, not as the store has it": [
    {
      file: "src/cache/announce.ts",
      text: "announceToOthers(generation, tenant, stored, askedMs)",
      becomes: "announceToOthers(generation, tenant, changes, askedMs)",
    },
  ],
  "the process that announces a change again keeps what it read meanwhile": [
    { file: "src/cache/announce.ts", text: "dropHere(tenant, stored);", becomes: "" },
  ],
  // That a change that was announced again counts as guaranteed whatever the generation shows in no history since the process
  // then drops its older record. test/cache/announce.test.ts finds it.
  "a change shares a step from an older generation than it read": [
    { file: "src/cache/settlement.ts", text: "step?.from === number", becomes: "step !== null" },
  ],
  "a second revocation that finds the key revoked is not announced": [
    { file: "src/service/change.ts", text: "await announce(record, record.revision);", becomes: "" },
  ],
  "a second deletion that finds the key deleted is not announced": [
    { file: "src/service/delete.ts", text: "if (revision !== null) await announce(null, revision);", becomes: "" },
  ],
  "expiry is judged when a record is read, not when it is used": [
    {
      file: "src/service/judge.ts",
      text: "{ nowMs, endUserAddress, requiredScopes, clockSkewMs, audience }",
      becomes: "{ nowMs: 0, endUserAddress, requiredScopes, clockSkewMs, audience }",
    },
  ],
  "a suspension of a tenant is not announced": [
    { file: "src/service/tenants/change-tenant.ts", text: "await announce(changed, changed.revision);", becomes: "" },
  ],
  "a call takes what the process knows of its tenant for current": [
    {
      file: "src/service/tenants/tenant-directory.ts",
      text: "const entry = cache.peek(defaultTenant, recordId);",
      becomes: "if (index.has(tenantId)) return settings.of(tenantId);\n      const entry = cache.peek(defaultTenant, recordId);",
    },
  ],
  "the result of a superseded flight is kept": [
    {
      file: "src/cache/flights.ts",
      text: "!flight.superseded && flight.epoch === trust.epoch;",
      becomes: "flight.epoch === trust.epoch;",
    },
  ],
  "the result of a flight of another epoch is kept": [
    { file: "src/cache/flights.ts", text: "!flight.superseded && flight.epoch === trust.epoch;", becomes: "!flight.superseded;" },
  ],
  "superseded flights are joined": [
    { file: "src/cache/flights.ts", text: "!flight.superseded && flight.epoch === epoch", becomes: "flight.epoch === epoch" },
  ],
  "a change is kept in the process that made it": [
    {
      file: "src/cache/announce.ts",
      text: "local.dropOlder(tenant, keyId, revision);",
      becomes: "local.putIfNewer(tenant, keyId, entryOf(lives, changes[0].record, revision, clock()), clock());",
    },
  ],
  "a change is announced under a generation that began after it": [
    {
      file: "src/cache/announce.ts",
      text: "await announceToOthers(generation, tenant, changes,",
      becomes: "await announceToOthers(generationNow(), tenant, changes,",
    },
  ],
  "a read that the store cannot answer is not tried again in the cache": [
    {
      file: "src/cache/look-up.ts",
      text: "answerWithoutStore(tenant, missing, error));",
      becomes: "{ for (const flight of missing) flight.fail(error); });",
    },
  ],
  "a reader fails with the look-up of another caller, who may not use the caches": [
    { file: "src/cache/record-reader.ts", text: "if (!flight.isBypass) return flight.result;", becomes: "if (true) return flight.result;" },
  ],
  "a reader does not wait until an outage is confirmed": [
    { file: "src/cache/look-up.ts", text: "await trust.judgeOutage();", becomes: "" },
  ],
  "heartbeats do not announce a new generation": [
    { file: "src/cache/trust.ts", text: "if (heard !== null && known.current !== null) known.moveTo(heard);", becomes: "" },
  ],
};

const gapUpTo = (mostMs: number, leastMs = 0) => fc.integer({ min: leastMs, max: mostMs });
const operate = (operation: Operation, process: number, slot: number, gapMs: fc.Arbitrary<number>): fc.Arbitrary<Step> =>
  fc.record({
    do: fc.constant("operate"),
    gapMs,
    process: fc.constant(process),
    slot: fc.constant(slot),
    operation: fc.constant(operation),
    again: fc.constant(null),
  });
const fail = (
  fault: fc.Arbitrary<Fault>,
  process: number,
  gapMs: fc.Arbitrary<number>,
  durationMs: fc.Arbitrary<number>,
): fc.Arbitrary<Step> => fc.record({ do: fc.constant("fail"), gapMs, fault, processes: fc.constant(1 << process), durationMs });
const cut = (path: Path) => fc.record({ kind: fc.constant("cut" as const), path: fc.constant(path), loud: fc.boolean() });
const slow = (path: Path, leastMs: number, mostMs: number) =>
  fc.record({
    kind: fc.constant("slow" as const),
    path: fc.constant(path),
    slownessMs: gapUpTo(mostMs, leastMs),
    steady: fc.constant(false),
  });
const stall = fc.record({ kind: fc.constant("stall" as const), stillMs: gapUpTo(2500, 1100), loud: fc.boolean() });
const pause = fc.constant({ kind: "pause" as const });

/** Effects after 2 s would be hidden by the grace period, and an entry that ends at its deadline shows nothing. */
const focus = (...steps: fc.Arbitrary<Step>[]) =>
  scenariosOf(fc.tuple(...steps), { outage: "refuse", cacheTtlMs: 60_000, storeTimeoutMs: 2500, hasSharedCache: true });

const focusInGrace = (...steps: fc.Arbitrary<Step>[]) => scenariosOf(fc.tuple(...steps), { outage: "serve", hasSharedCache: true });

/** Without a shared cache, which would have the answer anyway. */
const focusOnStall = scenariosOf(
  fc.tuple(fail(stall, 1, gapUpTo(1000), gapUpTo(5000, 3000)), fail(stall, 0, gapUpTo(1000), gapUpTo(5000, 3000))),
  {
    outage: "serve",
    hasSharedCache: false,
    cacheTtlMs: 60_000,
  },
);

/** While a process waits for the store's answer to a change, another process changes the key, and then a generation begins. */
const focusOnLateAnnouncement = focus(
  fail(slow("store", 300, 900), 0, gapUpTo(100), gapUpTo(6000, 5000)),
  operate("narrow", 0, 0, gapUpTo(100)),
  fail(cut("commands"), 1, gapUpTo(300), gapUpTo(4000, 2000)),
  operate("revoke", 2, 0, gapUpTo(1000)),
  operate("narrow", 1, 1, gapUpTo(100)),
);

/** The same, while the process that announces again hears late of its own announcements. */
const focusOnOwnAnnouncement = focus(
  fail(slow("subscriber", 300, 900), 0, gapUpTo(100), gapUpTo(8000, 7000)),
  fail(slow("store", 300, 900), 0, gapUpTo(100), gapUpTo(6000, 5000)),
  operate("narrow", 0, 0, gapUpTo(100)),
  fail(cut("commands"), 1, gapUpTo(300), gapUpTo(4000, 2000)),
  operate("narrow", 1, 1, gapUpTo(100)),
);

/**
 * If a bug needs several conditions that seldom occur together, this is the kind of history in which it shows. Everything else in these
 * histories is as random as in the others.
 */
export const focuses: Readonly<Record<string, fc.Arbitrary<Scenario>>> = {
  "the proven-alive rule is removed: in-process entries are served without a heartbeat": focus(
    fail(cut("subscriber"), 1, gapUpTo(900, 200), gapUpTo(8000, 6000)),
    operate("narrow", 0, 0, gapUpTo(100)),
  ),
  "in-process entries outlive a gap in the subscription": focus(
    fail(cut("subscriber"), 1, gapUpTo(900, 200), gapUpTo(900, 30)),
    operate("narrow", 0, 0, gapUpTo(100)),
  ),
  "a change is kept in the process that made it": focus(
    fail(slow("store", 10, 100), 0, gapUpTo(100), gapUpTo(6000, 4000)),
    ...[0, 2, 0, 2].flatMap((slot) => [operate("narrow", 0, slot, gapUpTo(900, 500)), operate("narrow", 1, slot, gapUpTo(120))]),
  ),
  // A third process, or its own cache server, would announce the new generation in time.
  "the generation's lease counts from the answer": focus(
    fail(slow("store", 100, 500), 1, gapUpTo(100), gapUpTo(8000, 6000)),
    fail(pause, 1, gapUpTo(1000, 300), gapUpTo(4500, 2500)),
    fail(cut("redis"), 0, gapUpTo(300), gapUpTo(8000, 6000)),
    operate("narrow", 0, 0, gapUpTo(200)),
  ).map((scenario) => ({ ...scenario, processes: 2 })),
  "the store is treated as lost only because its last answer is old": focusInGrace(
    fail(cut("redis"), 1, gapUpTo(100), gapUpTo(4000, 2000)),
    fail(pause, 1, gapUpTo(50), gapUpTo(4000, 2200)),
    operate("narrow", 0, 0, gapUpTo(300)),
  ),
  "the heartbeat's lease counts from its return": focus(
    fail(slow("subscriber", 2300, 3000), 1, gapUpTo(100), gapUpTo(9000, 8000)),
    operate("narrow", 0, 0, gapUpTo(4500, 3000)),
    operate("narrow", 0, 0, gapUpTo(1500)),
  ),
  "expiry is judged when a record is read, not when it is used": focus(
    operate("rotateInGrace", 0, 0, gapUpTo(100)),
    operate("narrow", 0, 1, gapUpTo(3000, 2000)),
  ),
  // The first process learns the generation later than the second, waits longer for the next one, and so finds it begun.
  "a change shares a step from an older generation than it read": focus(
    fail(cut("commands"), 0, gapUpTo(10), gapUpTo(12_000, 11_000)),
    fail(cut("commands"), 1, gapUpTo(10), gapUpTo(12_000, 11_000)),
    fail(slow("store", 150, 250), 0, gapUpTo(10), gapUpTo(12_000, 11_000)),
    ...[1, 2, 3].flatMap(() => [
      operate("narrow", 1, 1, gapUpTo(3200, 2800)),
      operate("narrow", 0, 2, gapUpTo(20)),
      operate("narrow", 1, 1, gapUpTo(60, 30)),
      operate("narrow", 0, 0, gapUpTo(350, 200)),
    ]),
  ).map((scenario) => ({ ...scenario, processes: 3 })),
  "a second revocation that finds the key revoked is not announced": focus(
    operate("revoke", 0, 0, gapUpTo(10)),
    fail(fc.constantFrom<Fault>({ kind: "crash" }, { kind: "pause" }), 0, gapUpTo(60), gapUpTo(5000, 3000)),
    operate("revoke", 1, 0, gapUpTo(300)),
  ),
  "a second deletion that finds the key deleted is not announced": focus(
    operate("delete", 0, 2, gapUpTo(10)),
    fail(fc.constantFrom<Fault>({ kind: "crash" }, { kind: "pause" }), 0, gapUpTo(60), gapUpTo(5000, 3000)),
    operate("delete", 1, 2, gapUpTo(300)),
  ),
  "the result of a flight of another epoch is kept": focus(
    fail(slow("store", 300, 900), 1, gapUpTo(100), gapUpTo(6000, 4000)),
    ...[0, 2, 0, 2, 0, 2].flatMap((slot) => [
      fail(cut("subscriber"), 1, gapUpTo(900, 200), gapUpTo(300, 30)),
      operate("narrow", 0, slot, gapUpTo(100)),
    ]),
  ),
  "the generation is read before the change is made": focus(
    fail(slow("store", 300, 900), 0, gapUpTo(100), gapUpTo(6000, 5000)),
    operate("narrow", 0, 0, gapUpTo(100)),
    fail(cut("commands"), 1, gapUpTo(300), gapUpTo(4000, 2000)),
    operate("narrow", 1, 1, gapUpTo(300)),
  ),
  "a change is announced under a generation that began after it": focusOnLateAnnouncement,
  "a change is announced again as it was, not as the store has it": focusOnLateAnnouncement,
  "the process that announces a change again keeps what it read meanwhile": focusOnOwnAnnouncement,
  "a read that the store cannot answer is not tried again in the cache": focusOnStall,
  "a reader fails with the look-up of another caller, who may not use the caches": focusOnStall,
  "a reader does not wait until an outage is confirmed": focusOnStall,
  "heartbeats do not announce a new generation": focusInGrace(
    fail(cut("store"), 2, gapUpTo(100), gapUpTo(7000, 6000)),
    fail(cut("commands"), 1, gapUpTo(300, 100), gapUpTo(500, 200)),
    operate("narrow", 1, 1, gapUpTo(20)),
    operate("narrow", 0, 0, gapUpTo(4000, 2000)),
  ),
};
