import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe } from "vitest";
import type { KeyStore } from "../../src/ports/key-store.ts";
import { type StoreWithEvents, withEvents } from "../support/with-events.ts";
import { describeAudit } from "./key-store/audit.ts";
import { describeChanges } from "./key-store/changes.ts";
import { describeDeletes } from "./key-store/deletes.ts";
import { describeFilters } from "./key-store/filters.ts";
import { describeHoldings } from "./key-store/holdings.ts";
import { describeInserts } from "./key-store/inserts.ts";
import { describeLifetime } from "./key-store/lifetime.ts";
import { describeLists } from "./key-store/lists.ts";
import { describeRecords } from "./key-store/records.ts";
import { describeServerSecrets } from "./key-store/server-secrets.ts";

export interface OpenKeyStore {
  /** A new, empty store. */
  readonly store: KeyStore;
  /** Opens what `store` held again, after it was closed. */
  reopen?(): Promise<KeyStore>;
  /** Closes everything and removes what the store kept. */
  dispose(): Promise<void>;
}

export interface KeyStoreContext {
  readonly store: StoreWithEvents;
  /** One part of a list, as the store returns it. */
  listPart: KeyStore["list"];
  /** Returns a tenant that no other test uses, because the tests of a suite share one store. */
  newTenant(): string;
  /** Opens another store, for tests that close it. It is disposed at the end. */
  openAnother(): Promise<{ readonly store: StoreWithEvents; reopen?(): Promise<StoreWithEvents> }>;
}

/** The contract of every key store: the doc comments of src/ports/key-store.ts as tests. */
export function describeKeyStore(name: string, open: () => Promise<OpenKeyStore>): void {
  describe(`key store: ${name}`, () => {
    const opened: OpenKeyStore[] = [];
    const openAnother = async () => {
      const one = await open();
      opened.push(one);
      return one;
    };
    beforeAll(async () => {
      await openAnother();
    });
    afterAll(async () => {
      for (const one of opened) await one.dispose();
    });

    const context: KeyStoreContext = {
      get store() {
        if (opened[0] === undefined) throw new Error("the store is opened before the first test, not while tests are collected");
        return withEvents(opened[0].store);
      },
      listPart: (tenant, query) => (opened[0] as OpenKeyStore).store.list(tenant, query),
      newTenant: () => `tenant-${randomUUID()}`,
      async openAnother() {
        const { store, reopen } = await openAnother();
        return { store: withEvents(store), ...(reopen === undefined ? {} : { reopen: async () => withEvents(await reopen()) }) };
      },
    };
    describeInserts(context);
    describeRecords(context);
    describeLists(context);
    describeFilters(context);
    describeChanges(context);
    describeDeletes(context);
    describeHoldings(context);
    describeAudit(context);
    describeServerSecrets(context);
    describeLifetime(context);
  });
}
