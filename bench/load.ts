/** A load on one server, with its connections open. */
export interface Load {
  /** Keeps every connection busy for so long; answers how many requests were answered. */
  run(durationMs: number): Promise<number>;
  close(): void;
}
