import { createHash, type Hash } from "node:crypto";

/** SHA-256 of the input from its beginning to a position. With it a resumed import checks that its input is the same. */
export interface PrefixDigest {
  /** Adds the bytes that were read next. */
  add(chunk: Buffer): void;
  /** Returns the hex digest of the first `bytes` bytes. Positions must not decrease or exceed what was added. */
  upTo(bytes: number): string;
}

export function createPrefixDigest(): PrefixDigest {
  const hash: Hash = createHash("sha256");
  let hashedBytes = 0;
  let waiting: Buffer[] = [];
  return {
    add(chunk) {
      waiting.push(chunk);
    },
    upTo(bytes) {
      while (hashedBytes < bytes) {
        const [first, ...others] = waiting;
        if (first === undefined) throw new Error("the position is beyond what was read");
        const part = first.subarray(0, bytes - hashedBytes);
        hash.update(part);
        hashedBytes += part.length;
        waiting = part.length === first.length ? others : [first.subarray(part.length), ...others];
      }
      return hash.copy().digest("hex");
    },
  };
}
