import type { Readable } from "node:stream";

/**
 * Disposes of a request body that is no longer needed, after the answer is written. The rest is read and dropped for as long as the
 * server's request time-out allows. Closing the connection could take the answer from a client that is still sending, and a stream
 * that is never read would hold its place in the session.
 */
export function discardRest(source: Readable): void {
  if (source.readableEnded || source.destroyed) return;
  source.removeAllListeners("data");
  source.resume();
}
