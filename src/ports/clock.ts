/** Wall clock, in epoch milliseconds. */
export type Clock = () => number;

/** `byteLength` cryptographically strong random bytes. */
export type RandomBytes = (byteLength: number) => Uint8Array;
