/**
 * Measures how calls depend on the number of keys: `node bench/scale.ts [--store sqlite|mongo] [--keys <count>] [--small <count>] [--kind
 * issued|imported] [--rounds <count>] [--only <regular expression>] [--bulk] [--folder <path>] [--cache <GiB>]`. Fills two stores, then
 * calls both in turns on random keys and prints the median time of a call, with 16 calls in flight, and its processor time, which other
 * work on the machine affects less. With --bulk stores are filled past the store (scale/bulk.ts, scale/bulk-mongo.ts). With --folder the
 * large store stays there, and is used again the next time.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { KeyKind } from "../src/core/key.ts";
import { defaultTenant } from "../src/core/tenant.ts";
import type { KeyStore } from "../src/ports/key-store.ts";
import { temporaryFolder } from "../test/support/temporary-folder.ts";
import { cpuMicroseconds } from "./child.ts";
import { median } from "./median.ts";
import { type Call, callsOf } from "./scale/calls.ts";
import { mongoStores } from "./scale/mongo-stores.ts";
import { type Filling, keyIdOf } from "./scale/records.ts";
import { filledStore, sqliteStores } from "./scale/stores.ts";

const { values: flags } = parseArgs({
  options: {
    store: { type: "string", default: "sqlite" },
    keys: { type: "string", default: "10000000" },
    small: { type: "string", default: "10000" },
    kind: { type: "string", default: "issued" },
    rounds: { type: "string", default: "21" },
    only: { type: "string", default: "" },
    bulk: { type: "boolean", default: false },
    folder: { type: "string" },
    // Memory for pages, in GiB: of mongod, by default 2; or of SQLite, by default that of the store.
    cache: { type: "string" },
  },
});
const usuallyInFlight = 16;
const kind = flags.kind as KeyKind;
const rounds = Number(flags.rounds);
const [smallCount, largeCount] = [Number(flags.small), Number(flags.keys)];
const largeName = `${kind}-${largeCount}`;

using temporary = temporaryFolder();
const folder = flags.folder ?? temporary.path;
mkdirSync(folder, { recursive: true });
const stores = flags.store === "mongo" ? await mongoStores(folder, flags.cache) : sqliteStores(folder, flags.cache);
try {
  const [small, smallFilling] = await filledStore(stores, folder, `small-${Date.now()}`, { kind, count: smallCount, isInBulk: flags.bulk });
  const [large, largeFilling] = await filledStore(stores, folder, largeName, { kind, count: largeCount, isInBulk: flags.bulk });
  await stores.warm(largeName);
  if (flags.store === "sqlite") for (const each of [small, large]) await readMany(each, each === small ? smallFilling : largeFilling);
  printMemory("before");
  const [smallCalls, largeCalls] = [callsOf(small, smallFilling), callsOf(large, largeFilling)].map((calls) =>
    calls.filter(({ name }) => new RegExp(flags.only).test(name)),
  ) as [Call[], Call[]];
  const ofDatabase = stores.pid === null ? "" : "   of it mongod: the same, and pages read from files";
  console.info(`${"us a call".padEnd(30)}  elapsed: ${smallCount}, ${largeCount} keys, ratio   CPU: the same${ofDatabase}`);
  for (const [index, call] of smallCalls.entries()) await compare(call, largeCalls[index] as Call);
  printMemory("after");
  await Promise.all([small.close(), large.close()]);
  const sizes = await stores.sizes(largeName);
  console.info(`bytes a key: ${sizes.map(([name, bytes]) => `${name} ${(bytes / largeCount).toFixed(0)}`).join(", ")}`);
} finally {
  await stores.stop();
}

/** As in a process that has run for a while: of a mapped file the first read of a page costs more. */
async function readMany(store: KeyStore, filling: Filling): Promise<void> {
  for (let read = 0; read < 200_000; read += 1) await store.get(defaultTenant, keyIdOf(filling, Math.floor(Math.random() * filling.count)));
}

async function compare(small: Call, large: Call): Promise<void> {
  // V8 compiles hot code late.
  for (const call of [small, large, small, large]) await turnOf(call);
  const startPages = await stores.pagesRead();
  const turns: [small: Turn, large: Turn][] = [];
  for (let round = 0; round < rounds; round += 1) {
    // Each goes first in half of the rounds.
    const largeFirst = round % 2 === 0 ? await turnOf(large) : undefined;
    const smallTurn = await turnOf(small);
    turns.push([smallTurn, largeFirst ?? (await turnOf(large))]);
  }
  const shown = stores.pid === null ? (["elapsed", "cpu"] as const) : (["elapsed", "cpu", "databaseCpu"] as const);
  const figures = shown.flatMap((figure) => {
    const medianOf = (side: 0 | 1) => median(turns.map((pair) => pair[side][figure])).toFixed(1);
    const ratio = median(turns.map(([smallTurn, largeTurn]) => smallTurn[figure] / largeTurn[figure]));
    return [medianOf(0), medianOf(1), ratio.toFixed(2)];
  });
  const endPages = await stores.pagesRead();
  const pages =
    startPages === null || endPages === null ? "" : `, ${((endPages - startPages) / (rounds * large.count)).toFixed(1)} pages read`;
  console.info(`${small.name.padEnd(30)} ${figures.map((figure) => figure.padStart(8)).join(" ")}${pages}`);
}

/** Microseconds of a call: on the clock, and of processor time in this process and the database's. */
interface Turn {
  readonly elapsed: number;
  readonly cpu: number;
  /** The database's part of it. */
  readonly databaseCpu: number;
}

async function turnOf({ count, inFlight = usuallyInFlight, prepare }: Call): Promise<Turn> {
  const calls = Array.from({ length: count }, prepare);
  let next = 0;
  const worker = async () => {
    while (next < count) await calls[next++]?.();
  };
  const [startMs, startDatabaseCpu, startOwn] = [performance.now(), cpuOfDatabase(), process.cpuUsage()];
  await Promise.all(Array.from({ length: inFlight }, worker));
  const own = process.cpuUsage(startOwn);
  const databaseCpu = (cpuOfDatabase() - startDatabaseCpu) / count;
  const elapsed = ((performance.now() - startMs) / count) * 1000;
  return { elapsed, cpu: (own.user + own.system) / count + databaseCpu, databaseCpu };
}

function cpuOfDatabase(): number {
  return stores.pid === null ? 0 : cpuMicroseconds(stores.pid);
}

/** RssFile is memory of mapped files, which the system takes back when it needs it. */
function printMemory(when: string): void {
  const { heapUsed } = process.memoryUsage();
  const ofProcess = (pid: number | "self") =>
    (readFileSync(`/proc/${pid}/status`, "utf8").match(/^(?:VmRSS|RssAnon|RssFile).*$/gm) ?? []).join(", ");
  const database = stores.pid === null ? "" : `; mongod: ${ofProcess(stores.pid)}`;
  console.info(`memory ${when}: heap ${Math.round(heapUsed / 1024)} kB, ${ofProcess("self")}${database}`.replaceAll(/[\t ]+/g, " "));
}
