/** How long such work may keep the event loop before other work runs. The step that passes this bound still ends. */
export const maxTurnMs = 4;

/** Divides long pieces of work into turns of the event loop. In each of its turns one of them runs, however many there are. */
export interface Turns {
  /** Whether long work has taken enough of the current turn; then await `next`. */
  isOver(): boolean;
  /** Lets other work run. Those who wait go on in the order in which they came, one in each turn. */
  next(): Promise<void>;
}

/** By time and not by count, because an item of a batch can be a hundred times the size of a usual one. */
export function createTurns(nowMs: () => number): Turns {
  const waiting: (() => void)[] = [];
  /** Undefined: no long work has run in this turn. */
  let endMs: number | undefined;
  /** Whether `goOn` began this turn. */
  let isContinued = false;

  const begin = () => {
    endMs = nowMs() + maxTurnMs;
    setImmediate(() => {
      endMs = undefined;
      isContinued = false;
    });
  };
  const goOn = () => {
    begin();
    isContinued = true;
    const resolve = waiting.shift();
    if (waiting.length > 0) setImmediate(goOn);
    resolve?.();
  };

  return {
    isOver() {
      if (endMs === undefined) begin();
      return nowMs() >= (endMs as number);
    },
    next: () =>
      new Promise((resolve) => {
        if (waiting.push(resolve) > 1) return;
        if (isContinued) setImmediate(goOn);
        // Work that began in a callback of I/O: the next immediates run right after it, before other I/O.
        else setImmediate(() => setImmediate(goOn));
      }),
  };
}

/** The event loop is one, so all long work of the process shares its turns. */
export const turnsOfProcess = createTurns(() => performance.now());

/** Turns of the work for one call. Once the call is over, `next` rejects, so that nobody works for it any longer. */
export function turnsWhile(turns: Turns, throwIfOver: () => void): Turns {
  return {
    isOver: () => turns.isOver(),
    async next() {
      await turns.next();
      throwIfOver();
    },
  };
}

/** Maps the items in order, in as many turns as that takes. */
export async function mapInTurns<Item, Result>(
  items: readonly Item[],
  map: (item: Item, index: number) => Result,
  turns: Turns = turnsOfProcess,
): Promise<Result[]> {
  const results: Result[] = [];
  for (let index = 0; index < items.length; index += 1) {
    if (turns.isOver()) await turns.next();
    results.push(map(items[index] as Item, index));
  }
  return results;
}

/** Reads a cursor to its end, whose items are decoded one by one, in as many turns as that takes. */
export async function collectInTurns<Item>(cursor: AsyncIterable<Item>, turns: Turns = turnsOfProcess): Promise<Item[]> {
  const items: Item[] = [];
  if (turns.isOver()) await turns.next();
  for await (const item of cursor) {
    items.push(item);
    if (turns.isOver()) await turns.next();
  }
  return items;
}
