import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openSqliteKeyStore } from "../../src/adapters/sqlite/key-store.ts";
import { defaultTenant } from "../../src/core/tenant.ts";
import type { KeyStore } from "../../src/ports/key-store.ts";
import { withEvents } from "../../test/support/with-events.ts";
import { fillInBulk } from "./bulk.ts";
import { type Filling, recordOf } from "./records.ts";

/** Where stores are kept, by name. */
export interface Stores {
  open(name: string): Promise<KeyStore>;
  /** Fills a new store. */
  fillInBulk(name: string, filling: Filling): Promise<void>;
  /** Reads a store that is open into the database's cache. */
  warm(name: string): Promise<void>;
  /** Pages that the database has read from its files so far. Null if it does not count them. */
  pagesRead(): Promise<number | null>;
  /** Bytes on the disk, by table and index. Call it after the stores are closed. */
  sizes(name: string): Promise<[name: string, bytes: number][]>;
  /** The process of the database, if it has one of its own. */
  readonly pid: number | null;
  stop(): Promise<void>;
}

/** `cacheGb` is the room for pages; default: that of the store. */
export function sqliteStores(folder: string, cacheGb: string | undefined): Stores {
  const pathOf = (name: string) => join(folder, `${name}.db`);
  const cacheMib = cacheGb === undefined ? undefined : Math.round(Number(cacheGb) * 1024);
  return {
    pid: null,
    open: (name) => openSqliteKeyStore({ path: pathOf(name), clock: Date.now, cacheMib }),
    async fillInBulk(name, filling) {
      await (await openSqliteKeyStore({ path: pathOf(name), clock: Date.now })).close();
      fillInBulk(pathOf(name), filling);
    },
    async sizes(name) {
      const database = new DatabaseSync(pathOf(name));
      const rows = database.prepare("SELECT name, pgsize FROM dbstat WHERE aggregate = TRUE ORDER BY pgsize DESC").all();
      database.close();
      return (rows as unknown as { name: string; pgsize: number }[]).map((row) => [row.name, row.pgsize]);
    },
    // Into the system's page cache. The store's own has what the calls before have read.
    warm: (name) => readBackwards(pathOf(name)),
    pagesRead: async () => null,
    stop: async () => {},
  };
}

/**
 * Reads a file into the system's page cache in pieces of 128 KiB from its end. Read forwards, Linux keeps it in units of up to 2 MiB, and
 * then a write of one page costs as much as one of the whole unit: 1.5 ms of a revocation. Random reads, as a store makes them, keep pages.
 */
async function readBackwards(path: string): Promise<void> {
  await using file = await open(path);
  let end = (await file.stat()).size;
  const readPieces = async () => {
    const piece = Buffer.alloc(128 * 1024);
    while (end > 0) {
      end = Math.max(0, end - piece.length);
      await file.read(piece, 0, piece.length, end);
    }
  };
  await Promise.all(Array.from({ length: piecesInFlight }, readPieces));
}

const piecesInFlight = 4;
const batchSize = 1000;
const batchesInFlight = 4;

/** Opens a store, and fills it unless it was filled before. */
export async function filledStore(
  stores: Stores,
  folder: string,
  name: string,
  { kind, count, isInBulk }: Omit<Filling, "filledMs"> & { readonly isInBulk: boolean },
): Promise<[KeyStore, Filling]> {
  const mark = join(folder, `${name}.json`);
  if (existsSync(mark)) return [await stores.open(name), JSON.parse(readFileSync(mark, "utf8")) as Filling];
  const filling = { kind, count, filledMs: Date.now() };
  const [startMs, startCpu] = [performance.now(), process.cpuUsage()];
  if (isInBulk) await stores.fillInBulk(name, filling);
  const store = await stores.open(name);
  if (!isInBulk) await fill(store, filling);
  const [seconds, cpu] = [(performance.now() - startMs) / 1000, process.cpuUsage(startCpu)];
  const cpuOfKey = ((cpu.user + cpu.system) / count).toFixed(0);
  console.info(`filled with ${count} keys: ${Math.round(count / seconds)} keys/s, ${cpuOfKey} us of CPU in this process`);
  writeFileSync(mark, JSON.stringify(filling));
  return [store, filling];
}

async function fill(store: KeyStore, filling: Filling): Promise<void> {
  const inserting = withEvents(store);
  let next = 0;
  const worker = async () => {
    while (next < filling.count) {
      const start = next;
      next = Math.min(next + batchSize, filling.count);
      const items = Array.from({ length: next - start }, (_, offset) => ({ record: recordOf(filling, start + offset), request: null }));
      await inserting.insertMany(defaultTenant, items);
      if (Math.floor(next / 1_000_000) > Math.floor(start / 1_000_000))
        console.info(`${next} keys, ${Math.round(performance.now() / 1000)} s`);
    }
  };
  await Promise.all(Array.from({ length: batchesInFlight }, worker));
}
