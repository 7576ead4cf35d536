import { expect, test } from "vitest";
import { documentId, documentOf, idsAfter, recordOf } from "../../../src/adapters/mongo/document.ts";
import { keyRecord } from "../../support/key-record.ts";

test("a tenant with a slash is refused: its ids could equal another tenant's", () => {
  expect(() => documentId("a/b", "c")).toThrow("slash");
  expect(documentId("a", "b/c")).toBe("a/b/c");
  expect(recordOf(documentOf("a", keyRecord({ keyId: "b/c" }), null)).keyId).toBe("b/c");
});

test("the range of a tenant's ids contains all of its ids and none of a tenant with a longer or neighbouring name", () => {
  const { $gt, $lt } = idsAfter("a", "");
  const isInRange = (id: string) => id > $gt && id < $lt;
  expect(["0", "A", "z", "~"].map((keyId) => isInRange(documentId("a", keyId)))).toEqual([true, true, true, true]);
  expect(["a0", "aa", "a.", "A", "b"].map((tenant) => isInRange(documentId(tenant, "k")))).toEqual([false, false, false, false, false]);
});

test("a document contains only the record's fields, its request id and what the indexes need", () => {
  const fields = new Set([...Object.keys(keyRecord()), "_id", "requestId", "revoked", "tenant", "terms", "useHour"]);
  fields.delete("keyId");
  for (const unused of ["disabled", "lineageId", "supersededBy"]) fields.delete(unused);
  expect(Object.keys(documentOf("t", keyRecord(), "r")).sort()).toEqual([...fields].sort());
});
