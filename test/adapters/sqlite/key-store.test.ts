import { join } from "node:path";
import { openSqliteKeyStore } from "../../../src/adapters/sqlite/key-store.ts";
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
