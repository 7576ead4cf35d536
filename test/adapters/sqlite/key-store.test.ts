import { join } from "node:path";
import { openSqliteKeyStore } from "../../../src/adapters/sqlite/key-store.ts";
import type { KeyStore } from "../../../src/ports/key-store.ts";
import { describeKeyQuota } from "../../contract/key-quota.ts";
import { describeKeyStore } from "../../contract/key-store.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

describeKeyStore("sqlite", async () => {
  const folder = temporaryFolder();
  const openStore = () => openSqliteKeyStore({ path: join(folder.path, "keys.db"), clock: Date.now });
  let store = await openStore();
  return {
    store,
    reopen: async () => {
      store = await openStore();
      return store;
    },
    dispose: async () => {
      await store.close();
      folder.remove();
    },
  };
});

describeKeyQuota("sqlite", async () => {
  const folder = temporaryFolder();
  let store: KeyStore | undefined;
  return {
    async open(maxKeys) {
      await store?.close();
      store = await openSqliteKeyStore({ path: join(folder.path, "keys.db"), clock: Date.now, maxKeys });
      return [store];
    },
    async dispose() {
      await store?.close();
      folder.remove();
    },
  };
});
