import type { Readable } from "node:stream";

/**
 * Deals with a request body that nobody wants any more, once the answer is written: the rest is read and dropped, for as long as the
 * server's request time-out allows. Closing the connection could take the answer from a client that is still sending, and a stream
 * that is never read would hold its place in the session.
 */
export function discardRest(source: Readable): void {
  if (source.readableEnded || source.destroyed) return;
  source.removeAllListeners("data");
  source.resume();
}
