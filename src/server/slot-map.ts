/** More streams than this are seldom open on one connection. A power of two. */
const slotCount = 128;

/**
 * A Map from the ids of streams that keeps most of them in a fixed list, at the id modulo its length. An id whose place is taken goes into
 * the Map itself.
 */
export class SlotMap<T> extends Map<number, T> {
  readonly #values: (T | undefined)[] = new Array(slotCount).fill(undefined);
  readonly #ids = new Float64Array(slotCount).fill(-1);
  #used = 0;

  override get size(): number {
    return super.size + this.#used;
  }

  override get(id: number): T | undefined {
    const slot = slotOf(id);
    return this.#ids[slot] === id ? this.#values[slot] : super.get(id);
  }

  override has(id: number): boolean {
    return this.#ids[slotOf(id)] === id || super.has(id);
  }

  override set(id: number, value: T): this {
    const slot = slotOf(id);
    if (this.#ids[slot] !== id) {
      if (this.#ids[slot] !== -1 || super.has(id)) return super.set(id, value);
      this.#ids[slot] = id;
      this.#used += 1;
    }
    this.#values[slot] = value;
    return this;
  }

  override delete(id: number): boolean {
    const slot = slotOf(id);
    if (this.#ids[slot] !== id) return super.delete(id);
    this.#ids[slot] = -1;
    this.#values[slot] = undefined;
    this.#used -= 1;
    return true;
  }

  override clear(): void {
    super.clear();
    this.#ids.fill(-1);
    this.#values.fill(undefined);
    this.#used = 0;
  }

  override forEach(callback: (value: T, id: number, map: Map<number, T>) => void): void {
    for (const [id, value] of this) callback(value, id, this);
  }

  override *keys(): MapIterator<number> {
    for (const [id] of this) yield id;
  }

  override *values(): MapIterator<T> {
    for (const [, value] of this) yield value;
  }

  override *entries(): MapIterator<[number, T]> {
    for (const [slot, id] of this.#ids.entries()) if (id !== -1) yield [id, this.#values[slot] as T];
    yield* super.entries();
  }

  override [Symbol.iterator](): MapIterator<[number, T]> {
    return this.entries();
  }
}

/** The ids that a client chooses are odd. */
function slotOf(id: number): number {
  return (id >> 1) & (slotCount - 1);
}
