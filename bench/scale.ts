/**
 * Measures how calls depend on the number of keys: `node bench/scale.ts [--store sqlite|mongo] [--keys <count>] [--small <count>]
 * [--kind issued|imported] [--rounds <count>] [--folder <path>]`. Fills two stores, then calls both in turns on random keys and prints the
 * median time of a call, with 16 calls in flight. With --folder the large store stays there, and is used again the next time.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { KeyKind } from "../src/core/key.ts";
import { temporaryFolder } from "../test/support/temporary-folder.ts";
import { median } from "./median.ts";
import { type Call, callsOf } from "./scale/calls.ts";
import { filledStore, mongoStores, sqliteStores } from "./scale/stores.ts";

const { values: flags } = parseArgs({
  options: {
    store: { type: "string", default: "sqlite" },
    keys: { type: "string", default: "10000000" },
    small: { type: "string", default: "10000" },
    kind: { type: "string", default: "issued" },
    rounds: { type: "string", default: "21" },
    folder: { type: "string" },
    // Memory of mongod, in GiB.
    cache: { type: "string", default: "2" },
  },
});
const inFlight = 16;
const kind = flags.kind as KeyKind;
const rounds = Number(flags.rounds);
const [smallCount, largeCount] = [Number(flags.small), Number(flags.keys)];
const largeName = `${kind}-${largeCount}`;

using temporary = temporaryFolder();
const folder = flags.folder ?? temporary.path;
mkdirSync(folder, { recursive: true });
const stores = flags.store === "mongo" ? await mongoStores(folder, flags.cache) : sqliteStores(folder);
try {
  const [small, smallFilling] = await filledStore(stores, folder, `small-${Date.now()}`, { kind, count: smallCount });
  const [large, largeFilling] = await filledStore(stores, folder, largeName, { kind, count: largeCount });
  printMemory("before");
  const smallCalls = callsOf(small, smallFilling);
  const largeCalls = callsOf(large, largeFilling);
  console.info(`us a call, ${smallCount} and ${largeCount} keys, ratio of speeds:`);
  for (const [index, call] of smallCalls.entries()) await compare(call, largeCalls[index] as Call);
  printMemory("after");
  await Promise.all([small.close(), large.close()]);
  const sizes = await stores.sizes(largeName);
  console.info(`bytes a key: ${sizes.map(([name, bytes]) => `${name} ${(bytes / largeCount).toFixed(0)}`).join(", ")}`);
} finally {
  await stores.stop();
}

async function compare(small: Call, large: Call): Promise<void> {
  for (const call of [small, large]) await microsecondsOf(call);
  const times: [small: number, large: number][] = [];
  for (let round = 0; round < rounds; round += 1) {
    // Each goes first in half of the rounds.
    const largeFirst = round % 2 === 0 ? await microsecondsOf(large) : undefined;
    const smallTime = await microsecondsOf(small);
    times.push([smallTime, largeFirst ?? (await microsecondsOf(large))]);
  }
  const ratio = median(times.map(([smallTime, largeTime]) => smallTime / largeTime));
  const [smallTime, largeTime] = [0, 1].map((side) =>
    median(times.map((pair) => pair[side] as number))
      .toFixed(1)
      .padStart(8),
  );
  console.info(`${small.name.padEnd(32)} ${smallTime} ${largeTime}  ${ratio.toFixed(2)}`);
}

async function microsecondsOf({ count, prepare }: Call): Promise<number> {
  const calls = Array.from({ length: count }, prepare);
  let next = 0;
  const worker = async () => {
    while (next < count) await calls[next++]?.();
  };
  const startMs = performance.now();
  await Promise.all(Array.from({ length: inFlight }, worker));
  return ((performance.now() - startMs) / count) * 1000;
}

/** RssFile is memory of mapped files, which the system takes back when it needs it. */
function printMemory(when: string): void {
  const { heapUsed } = process.memoryUsage();
  const ofProcess = (pid: number | "self") =>
    (readFileSync(`/proc/${pid}/status`, "utf8").match(/^(?:VmRSS|RssAnon|RssFile).*$/gm) ?? []).join(", ");
  const database = stores.pid === null ? "" : `; mongod: ${ofProcess(stores.pid)}`;
  console.info(`memory ${when}: heap ${Math.round(heapUsed / 1024)} kB, ${ofProcess("self")}${database}`.replaceAll(/[\t ]+/g, " "));
}
