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
  expect(parts.map((part) => part.items.length)).toEqual([maxRowsPerCommit, 1 + 4, 4, 4, 4, 4]);
  expect(parts.filter(({ rowCount }) => rowCount > maxRowsPerCommit)).toEqual([]);
});

test("an item that is too large for a transaction with others is a part of its own", () => {
  const rows = [1, maxRowsPerCommit + 1, 1];
  expect(writeParts(rows, (row) => row).map((part) => part.items)).toEqual([[1], [maxRowsPerCommit + 1], [1]]);
});
