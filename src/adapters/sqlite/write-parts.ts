import type { NewKey } from "../../ports/key-store.ts";
import type { Access } from "./access.ts";
import { maxRowsPerCommit } from "./group-commit.ts";

/** Terms of a key whose entries in the index of terms cost about as much as all else that a new key writes. */
const termsPerRow = 6;
/** The same of its text, in the row and in the index of terms. */
const textPerRow = 4096;

export interface WritePart<Item> {
  readonly items: readonly Item[];
  readonly rowCount: number;
}

/** Splits a write of many items into parts that fit into a transaction each. An item that does not is a part of its own. */
export function writeParts<Item>(items: readonly Item[], rowsOf: (item: Item) => number): WritePart<Item>[] {
  const parts: { items: Item[]; rowCount: number }[] = [];
  for (const item of items) {
    const rows = rowsOf(item);
    const last = parts.at(-1);
    if (last === undefined || last.rowCount + rows > maxRowsPerCommit) {
      parts.push({ items: [item], rowCount: rows });
    } else {
      last.items.push(item);
      last.rowCount += rows;
    }
  }
  return parts;
}

/** Writes each part in a transaction, so that the event loop gets its turn in between. */
export function writeInParts<Item, T>(
  write: Access["write"],
  items: readonly Item[],
  rowsOf: (item: Item) => number,
  change: (part: readonly Item[]) => T,
): Promise<T[]> {
  return Promise.all(writeParts(items, rowsOf).map((part) => write(() => change(part.items), part.rowCount)));
}

/** The cost of a new key, in keys with few terms and little text. */
export function rowsOfNewKey({ record: { name, scopes, metadata } }: Pick<NewKey, "record">): number {
  const maxTerms = scopes.length + Object.keys(metadata ?? {}).length;
  const textLength =
    scopes.reduce((sum, scope) => sum + scope.length, name.length) + (metadata === null ? 0 : JSON.stringify(metadata).length);
  return 1 + Math.floor(maxTerms / termsPerRow + textLength / textPerRow);
}
