import { Failure } from "../../error/failure.ts";
import type { Clock } from "../../ports/clock.ts";
import type { KeyStore } from "../../ports/key-store.ts";
import { openDatabase, storeError } from "./database.ts";
import { createGroupCommit } from "./group-commit.ts";
import { prepareKeys } from "./keys.ts";
import { prepareList } from "./list.ts";

export interface SqliteKeyStoreOptions {
  /** The database file, made where there is none; its folder must be there. One process at a time. */
  readonly path: string;
  readonly clock: Clock;
}

/**
 * The store in one SQLite file. Reads and commits run on the calling thread: node:sqlite has no other way, and a read takes a few
 * microseconds. Rejects with an Error naming the file where it cannot be used, as while another process uses it.
 */
export async function openSqliteKeyStore(options: SqliteKeyStoreOptions): Promise<KeyStore> {
  const database = openDatabase(options.path);
  const keys = prepareKeys(database, options.clock);
  const list = prepareList(database);
  const groupCommit = createGroupCommit(database);
  const salt = database.prepare("SELECT value FROM store WHERE name = 'token_salt'").get() as { value: Uint8Array };
  const probe = database.prepare("SELECT 1 FROM keys LIMIT 1");

  function read<T>(query: () => T): T {
    if (!database.isOpen) throw new Failure("STORE_UNAVAILABLE");
    try {
      return query();
    } catch (error) {
      throw storeError(error);
    }
  }

  async function write<T>(change: () => T): Promise<T> {
    if (!database.isOpen) throw new Failure("STORE_UNAVAILABLE");
    try {
      return await groupCommit.run(change);
    } catch (error) {
      throw storeError(error);
    }
  }

  return {
    tokenSalt: salt.value,
    insert: (tenant, record, request) => write(() => keys.insert(tenant, record, request)),
    insertMany: (tenant, items) => Promise.all(items.map((item) => write(() => keys.insert(tenant, item.record, item.request)))),
    get: async (tenant, keyId) => read(() => keys.get(tenant, keyId)),
    getMany: async (tenant, keyIds) => read(() => keyIds.map((keyId) => keys.get(tenant, keyId))),
    list: async (tenant, query) => read(() => list(tenant, query)),
    replace: (tenant, record) => write(() => keys.replace(tenant, record)),
    rotate: (tenant, retired, successor) => write(() => keys.rotate(tenant, retired, successor)),
    delete: (tenant, kind, keyId) => write(() => keys.delete(tenant, kind, keyId)),
    touch: (tenant, uses) => write(() => keys.touch(tenant, uses)),
    ping: async () => read(() => void probe.get()),
    async close() {
      if (!database.isOpen) return;
      read(() => {
        groupCommit.drain();
        database.close();
      });
    },
  };
}
