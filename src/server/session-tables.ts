import type { Http2Session } from "node:http2";
import { SlotMap } from "./slot-map.ts";

/** Node's state of a session, which it keeps under a symbol. Holds the open streams by their ids, and more. */
interface SessionState {
  streams: Map<number, unknown>;
}

/**
 * Replaces the table of a new session's open streams. Node's is a Map. A Map that thousands of entries pass through leaves a chain of
 * outgrown tables, each with the streams that were open then. Once the oldest table is promoted, the garbage collector copies and promotes
 * all streams of the session, although they have ended: half of what it promoted under load. Returns false, and changes nothing, if Node
 * has changed.
 */
export function replaceStreamTable(session: Http2Session): boolean {
  const symbol = Object.getOwnPropertySymbols(session).find(({ description }) => description === "state");
  const state = symbol && (session as unknown as Record<symbol, SessionState | undefined>)[symbol];
  if (state?.streams?.size !== 0) return false;
  state.streams = new SlotMap();
  return true;
}
