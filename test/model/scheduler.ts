/** Virtual time and all randomness of a run. Events of one moment run in the order in which they were scheduled. */
export interface Scheduler {
  readonly nowMs: () => number;
  /** Runs `work` after this many milliseconds of virtual time. */
  after(delayMs: number, work: () => void): void;
  /** From 0 up to but not including 1. */
  readonly random: () => number;
  between(low: number, high: number): number;
  chance(probability: number): boolean;
  /** Call it while code with promises runs: time stops until that code can continue no further. */
  letSettle(): void;
  /** The same for work that waits for something outside of the run. */
  letFinish(work: Promise<unknown>): void;
  /** Runs everything scheduled up to that moment. */
  runUntil(endMs: number): Promise<void>;
}

interface Planned {
  readonly atMs: number;
  readonly order: number;
  readonly work: () => void;
}

export function createScheduler(seed: number): Scheduler {
  const heap: Planned[] = [];
  let nowMs = 0;
  let order = 0;
  let isUnsettled = false;
  const unfinished: Promise<unknown>[] = [];
  let state = (seed ^ 0x9e3779b9) >>> 0;

  /** Mulberry32. */
  const random = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };

  return {
    nowMs: () => nowMs,
    random,
    between: (low, high) => low + random() * (high - low),
    chance: (probability) => random() < probability,

    after(delayMs, work) {
      order += 1;
      push(heap, { atMs: nowMs + delayMs, order, work });
    },

    letSettle() {
      isUnsettled = true;
    },

    letFinish(work) {
      isUnsettled = true;
      unfinished.push(work);
    },

    async runUntil(endMs) {
      for (let next = heap[0]; next !== undefined && next.atMs <= endMs; next = heap[0]) {
        pop(heap);
        nowMs = next.atMs;
        next.work();
        if (!isUnsettled) continue;
        isUnsettled = false;
        if (unfinished.length > 0) await Promise.all(unfinished.splice(0));
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
      nowMs = endMs;
    },
  };
}

function isBefore(a: Planned, b: Planned): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

function push(heap: Planned[], item: Planned): void {
  let at = heap.length;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent] as Planned;
    if (!isBefore(item, above)) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = item;
}

function pop(heap: Planned[]): void {
  const last = heap.pop() as Planned;
  if (heap.length === 0) return;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && isBefore(heap[child + 1] as Planned, heap[child] as Planned)) child += 1;
    if (!isBefore(heap[child] as Planned, last)) break;
    heap[at] = heap[child] as Planned;
    at = child;
  }
  heap[at] = last;
}
