import { setImmediate as nextTurn } from "node:timers/promises";

/** How long one piece of work may keep the event loop before other work runs. The step that passes this bound still ends. */
export const maxTurnMs = 4;

/** Divides a long piece of work into turns of the event loop. */
export interface Turns {
  /** Whether the turn has taken long enough; then await `next`. */
  isOver(): boolean;
  /** Lets other work run. */
  next(): Promise<void>;
}

/** By time and not by count, because an item of a batch can be a hundred times the size of a usual one. */
export function createTurns(nowMs: () => number = () => performance.now()): Turns {
  let endMs = nowMs() + maxTurnMs;
  return {
    isOver: () => nowMs() >= endMs,
    async next() {
      await nextTurn();
      endMs = nowMs() + maxTurnMs;
    },
  };
}

/** Maps the items in order, in as many turns as that takes. */
export async function mapInTurns<Item, Result>(
  items: readonly Item[],
  map: (item: Item, index: number) => Result,
  turns: Turns = createTurns(),
): Promise<Result[]> {
  const results: Result[] = [];
  for (const [index, item] of items.entries()) {
    results.push(map(item, index));
    if (turns.isOver()) await turns.next();
  }
  return results;
}

/** Reads a cursor to its end, whose items are decoded one by one, in as many turns as that takes. */
export async function collectInTurns<Item>(cursor: AsyncIterable<Item>, turns: Turns = createTurns()): Promise<Item[]> {
  const items: Item[] = [];
  for await (const item of cursor) {
    items.push(item);
    if (turns.isOver()) await turns.next();
  }
  return items;
}
