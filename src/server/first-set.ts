/**
 * A Set that keeps one of its members in a field, and only further ones in the Set itself. A Set that is empty again makes a new table: a
 * member that comes and goes costs twenty times as much there.
 */
export class FirstSet<T extends object> extends Set<T> {
  #first: T | undefined;

  override get size(): number {
    return super.size + (this.#first === undefined ? 0 : 1);
  }

  override has(member: T): boolean {
    return this.#first === member || super.has(member);
  }

  override add(member: T): this {
    if (this.has(member)) return this;
    if (this.#first !== undefined) return super.add(member);
    this.#first = member;
    return this;
  }

  override delete(member: T): boolean {
    if (this.#first !== member) return super.delete(member);
    this.#first = undefined;
    return true;
  }

  override clear(): void {
    super.clear();
    this.#first = undefined;
  }

  override forEach(callback: (member: T, again: T, set: Set<T>) => void): void {
    for (const member of this) callback(member, member, this);
  }

  override *values(): SetIterator<T> {
    if (this.#first !== undefined) yield this.#first;
    yield* super.values();
  }

  override keys(): SetIterator<T> {
    return this.values();
  }

  override *entries(): SetIterator<[T, T]> {
    for (const member of this) yield [member, member];
  }

  override [Symbol.iterator](): SetIterator<T> {
    return this.values();
  }
}
