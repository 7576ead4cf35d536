import { createHash, type Hash } from "node:crypto";

/** SHA-256 of the input from its beginning to places in it, by which a resumed import knows that it goes on with the same input. */
export interface PrefixDigest {
  /** What was read next. */
  add(chunk: Buffer): void;
  /** Hex digest of the first so many bytes. Places must not go back, nor lie beyond what was added. */
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
        if (first === undefined) throw new Error("the place lies beyond what was read");
        const part = first.subarray(0, bytes - hashedBytes);
        hash.update(part);
        hashedBytes += part.length;
        waiting = part.length === first.length ? others : [first.subarray(part.length), ...others];
      }
      return hash.copy().digest("hex");
    },
  };
}
