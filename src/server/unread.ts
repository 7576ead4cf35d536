/** A complete response that its client has not read. */
export interface Unread<Sink> {
  readonly sink: Sink;
  readonly bytes: number;
  /** Responses are numbered in the order of their requests. */
  readonly number: number;
}

/**
 * Returns the responses to cut so that at most `maxBytes` stay: those of the network that leaves the most unread, oldest first, then those
 * of the next. So a client that reads nothing does not fill the memory, nor cut those of others.
 */
export function unreadToCut<Sink>(unread: readonly Unread<Sink>[], maxBytes: number, networkOf: (sink: Sink) => string): Sink[] {
  let over = bytesOf(unread) - maxBytes;
  if (over <= 0) return [];
  const byNetwork = Map.groupBy(unread, ({ sink }) => networkOf(sink));
  const cut: Sink[] = [];
  for (const group of [...byNetwork.values()].toSorted((one, other) => bytesOf(other) - bytesOf(one))) {
    for (const { sink, bytes } of group.toSorted((one, other) => one.number - other.number)) {
      if (over <= 0) return cut;
      cut.push(sink);
      over -= bytes;
    }
  }
  return cut;
}

function bytesOf(unread: readonly Unread<unknown>[]): number {
  return unread.reduce((sum, { bytes }) => sum + bytes, 0);
}
