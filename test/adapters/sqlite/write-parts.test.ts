import { expect, test } from "vitest";
import { maxRowsPerCommit } from "../../../src/adapters/sqlite/group-commit.ts";
import { rowsOfNewKey, writeParts } from "../../../src/adapters/sqlite/write-parts.ts";
import { keyRecord } from "../../support/key-record.ts";

const keys = (count: number, scopeCount: number) =>
  Array.from({ length: count }, () => ({ record: keyRecord({ scopes: Array.from({ length: scopeCount }, (_, index) => `s${index}`) }) }));

test("a part has as many keys as a transaction takes, and fewer if they have many scopes", () => {
  const items = [...keys(maxRowsPerCommit + 1, 2), ...keys(20, 100)];
  const parts = writeParts(items, rowsOfNewKey);
  expect(parts.flatMap((part) => part.items)).toEqual(items);
  expect(parts.map((part) => part.items.length)).toEqual([maxRowsPerCommit, 1 + 3, 3, 3, 3, 3, 3, 2]);
  expect(parts.filter(({ rowCount }) => rowCount > maxRowsPerCommit)).toEqual([]);
});

test.each([
  ["metadata", { metadata: { text: "x".repeat(9000) } }],
  ["scopes", { scopes: Array.from({ length: 5 }, () => "x".repeat(1800)) }],
])("a part has fewer keys if they have long texts (%s)", (_, long) => {
  const items = Array.from({ length: maxRowsPerCommit }, () => ({ record: keyRecord(long) }));
  const parts = writeParts(items, rowsOfNewKey);
  expect(Math.max(...parts.map((part) => part.items.length))).toBeLessThanOrEqual(maxRowsPerCommit / 3);
});

test("an item that is too large for a transaction with others is a part of its own", () => {
  const rows = [1, maxRowsPerCommit + 1, 1];
  expect(writeParts(rows, (row) => row).map((part) => part.items)).toEqual([[1], [maxRowsPerCommit + 1], [1]]);
});
