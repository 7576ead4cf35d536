import { setImmediate as nextTurn } from "node:timers/promises";

/** Items of a batch or a list that are handled in one turn of the event loop: at most some milliseconds of work. */
export const itemsPerTurn = 64;

/** Maps the items in order, and lets other calls run after every `itemsPerTurn` of them. */
export async function mapInTurns<Item, Result>(items: readonly Item[], map: (item: Item, index: number) => Result): Promise<Result[]> {
  const results: Result[] = [];
  for (let index = 0; index < items.length; index += 1) {
    if (index > 0 && index % itemsPerTurn === 0) await nextTurn();
    results.push(map(items[index] as Item, index));
  }
  return results;
}
