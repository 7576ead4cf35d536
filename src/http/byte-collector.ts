const nothing: Uint8Array = new Uint8Array(0);
/** Smallest buffer that pieces are copied into. */
const minCapacity = 256;
/** The first piece may retain this many more bytes than its own: those of the socket read that it is part of. */
const maxSlackBytes = 4096;

/**
 * Joins the pieces of a body. Pieces are copied into one buffer, because a Buffer for each costs additional memory and time
 * (bench/micro.ts), and may retain the whole socket read that it is part of. Uses at most twice the bytes received, or 256.
 */
export interface ByteCollector {
  /** Bytes received so far. */
  readonly length: number;
  /** Bytes held after a piece of this size is added. */
  capacityWith(more: number): number;
  add(piece: Uint8Array): void;
  /** Returns the bytes and empties the collector. */
  take(): Buffer;
}

/** `maxBytes` is the maximum that will be added. */
export function createByteCollector(maxBytes: number): ByteCollector {
  return new Collector(maxBytes);
}

class Collector implements ByteCollector {
  readonly #maxBytes: number;
  #bytes = nothing;
  #isOwn = false;
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get length(): number {
    return this.#length;
  }

  capacityWith(more: number): number {
    const needed = this.#length + more;
    if (this.#length === 0) return needed;
    if (this.#isOwn && needed <= this.#bytes.length) return this.#bytes.length;
    return Math.max(needed, Math.min(2 * needed, this.#maxBytes), minCapacity);
  }

  add(piece: Uint8Array): void {
    // Almost all bodies arrive in one piece, which is not copied.
    if (this.#length === 0 && piece.buffer.byteLength - piece.length <= maxSlackBytes) this.#bytes = piece;
    else {
      const capacity = this.capacityWith(piece.length);
      if (!this.#isOwn || capacity > this.#bytes.length) this.#bytes = grown(this.#bytes, this.#length, capacity, this.#isOwn);
      this.#isOwn = true;
      this.#bytes.set(piece, this.#length);
    }
    this.#length += piece.length;
  }

  take(): Buffer {
    const bytes = this.#bytes;
    const taken =
      bytes.length === this.#length && Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, this.#length);
    this.#bytes = nothing;
    this.#isOwn = false;
    this.#length = 0;
    return taken;
  }
}

/**
 * A buffer of the given size that begins with the same bytes. One of our own is freed at once, without waiting for the garbage collector.
 */
function grown(bytes: Uint8Array, length: number, capacity: number, isOwn: boolean): Uint8Array {
  if (isOwn) return new Uint8Array((bytes.buffer as ArrayBuffer).transfer(capacity));
  const copy = new Uint8Array(capacity);
  copy.set(bytes.subarray(0, length));
  return copy;
}
