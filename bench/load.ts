/** A load on one server, with open connections. */
export interface Load {
  /** Keeps every connection busy for this long. Returns how many requests were answered. */
  run(durationMs: number): Promise<number>;
  close(): void;
}
