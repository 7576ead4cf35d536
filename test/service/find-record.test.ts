import { expect, test } from "vitest";
import type { PresentedCredential } from "../../src/core/credential.ts";
import type { KeyRecord } from "../../src/core/key.ts";
import { findRecord } from "../../src/service/find-record.ts";
import { keyRecord } from "../support/key-record.ts";

const digest = "a".repeat(43);
const storeOf = (...records: KeyRecord[]) => {
  const byId = new Map(records.map((record) => [record.keyId, record]));
  return async (keyId: string) => byId.get(keyId) ?? null;
};

test("a record is that of an issued key only if it has the key's digest and kind", async () => {
  const presented: PresentedCredential = { type: "issued", keyIds: ["A"], digest };
  const own = keyRecord({ keyId: "A", digest });
  expect(await findRecord(presented, storeOf(own))).toEqual(own);
  // Who knows the server secret can make a key with a valid tag for an id that exists.
  expect(await findRecord(presented, storeOf(keyRecord({ keyId: "A", digest: `${"a".repeat(42)}b` })))).toBe(null);
  expect(await findRecord(presented, storeOf(keyRecord({ keyId: "A", digest, kind: "imported" })))).toBe(null);
});

test("of the ids that an imported key may have, the first one with a record decides", async () => {
  const presented: PresentedCredential = { type: "imported", keyIds: ["A", "B", "C"] };
  const [second, third] = [keyRecord({ keyId: "B", kind: "imported" }), keyRecord({ keyId: "C", kind: "imported" })];
  expect(await findRecord(presented, storeOf(second, third))).toEqual(second);
  expect(await findRecord(presented, storeOf(keyRecord({ keyId: "B", kind: "issued" }), third))).toEqual(third);
  expect(await findRecord(presented, storeOf())).toBe(null);
});
