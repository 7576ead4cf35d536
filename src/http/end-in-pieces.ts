import type { ServerResponse } from "node:http";
import type { HttpResponse } from "./message.ts";

const pieceBytes = 16 * 1024;

/**
 * Ends a response with these bytes, piece by piece: each once the one before it was sent. Over TLS Node encrypts all that it is given at
 * once, and keeps the result in memory until the client reads it. Set `content-length` first, so that the listener ends a response that is
 * not read in time.
 */
export function endInPieces(response: HttpResponse, bytes: Uint8Array): void {
  let start = 0;
  const next = (error?: Error | null): void => {
    if (error || response.destroyed) return;
    const piece = bytes.subarray(start, start + pieceBytes);
    start += pieceBytes;
    // The two kinds of response accept the same arguments, but their types differ.
    if (start < bytes.length) (response as ServerResponse).write(piece, next);
    else response.end(piece);
  };
  next();
}
