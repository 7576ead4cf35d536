/** Varints of up to this many bytes are read: 28 bits. */
const maxVarintBytes = 4;

/** A position in the bytes of a message. Nothing is read past `end`. */
export class ByteCursor {
  readonly #bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Returns an integer of up to 28 bits in its shortest form, and -1 for anything else. */
  varint(end: number): number {
    let value = 0;
    for (let count = 0; count < maxVarintBytes && this.at < end; count++) {
      const byte = this.#bytes[this.at++] as number;
      value |= (byte & 0x7f) << (7 * count);
      if (byte < 0x80) return byte === 0 && count > 0 ? -1 : value;
    }
    return -1;
  }

  /** Returns an ASCII text that follows its length, and undefined for anything else. */
  asciiText(end: number): string | undefined {
    const byteLength = this.varint(end);
    const from = this.at;
    const to = from + byteLength;
    if (byteLength < 0 || to > end) return undefined;
    for (let index = from; index < to; index++) if ((this.#bytes[index] as number) > 0x7f) return undefined;
    this.at = to;
    return this.#bytes.toString("latin1", from, to);
  }
}
