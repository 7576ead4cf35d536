/** Longest text that is copied character by character. Up to about here that is cheaper than a call into Node. */
const maxCopiedChars = 127;
const initialBytes = 1024;
/** A larger buffer is not kept for the next message. */
const maxKeptBytes = 64 * 1024;

/** Collects the bytes of a message. One sink serves one message after the other, so that its buffer is allocated once. */
export class ByteSink {
  #bytes = Buffer.allocUnsafeSlow(initialBytes);
  #length = 0;

  /** Forgets what was written, and leaves room for a header. */
  start(headerBytes: number): void {
    this.#length = headerBytes;
  }

  /** Returns a copy of what was written. */
  take(): Buffer {
    const copy = Buffer.allocUnsafe(this.#length);
    this.#bytes.copy(copy, 0, 0, this.#length);
    if (this.#bytes.length > maxKeptBytes) this.#bytes = Buffer.allocUnsafeSlow(initialBytes);
    return copy;
  }

  /** An integer from 0 to 2^53 - 1. */
  varint(value: number): void {
    this.#reserve(8);
    let rest = value;
    for (; rest > 0x7fffffff; rest = Math.floor(rest / 128)) this.#bytes[this.#length++] = (rest % 128) | 0x80;
    for (; rest > 0x7f; rest >>>= 7) this.#bytes[this.#length++] = (rest & 0x7f) | 0x80;
    this.#bytes[this.#length++] = rest;
  }

  double(value: number): void {
    this.#reserve(8);
    this.#length = this.#bytes.writeDoubleLE(value, this.#length);
  }

  /** A text with its length. Lone surrogates become U+FFFD. */
  text(value: string): void {
    const { length } = value;
    if (length > maxCopiedChars) {
      this.#longText(value);
      return;
    }
    this.#reserve(length + 1);
    const bytes = this.#bytes;
    let at = this.#length;
    bytes[at++] = length;
    for (let index = 0; index < length; index++) {
      const code = value.charCodeAt(index);
      if (code > 0x7f) {
        this.#longText(value);
        return;
      }
      bytes[at++] = code;
    }
    this.#length = at;
  }

  /** Bytes with their length. */
  lengthDelimited(value: Uint8Array): void {
    this.varint(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  /** Begins bytes whose length is not known yet. Returns the mark for `close`. */
  open(): number {
    this.#reserve(1);
    this.#length += 1;
    return this.#length;
  }

  /** Puts the length before the bytes since `open`. */
  close(mark: number): void {
    const byteLength = this.#length - mark;
    if (byteLength < 0x80) {
      this.#bytes[mark - 1] = byteLength;
      return;
    }
    const extra = varintBytes(byteLength) - 1;
    this.#reserve(extra);
    this.#bytes.copyWithin(mark + extra, mark, this.#length);
    this.#length = mark - 1;
    this.varint(byteLength);
    this.#length += byteLength;
  }

  #longText(value: string): void {
    const byteLength = Buffer.byteLength(value);
    this.varint(byteLength);
    this.#reserve(byteLength);
    this.#length += this.#bytes.write(value, this.#length, byteLength, "utf8");
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

/** Bytes of a varint. */
function varintBytes(value: number): number {
  let count = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) count += 1;
  return count;
}
