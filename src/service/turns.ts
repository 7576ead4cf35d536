import { setImmediate as nextTurn } from "node:timers/promises";

/** Items of a batch or a list that are handled in one turn of the event loop: at most some milliseconds of work. */
export const itemsPerTurn = 64;

/** Maps the items in order, and lets other calls run after every `itemsPerTurn` of them. */
export async function mapInTurns<Item, Result>(items: readonly Item[], map: (item: Item, index: number) => Result): Promise<Result[]> {
  const results: Result[] = [];
  for (const [index, item] of items.entries()) {
    if (index > 0 && index % itemsPerTurn === 0) await nextTurn();
    results.push(map(item, index));
  }
  return results;
}
