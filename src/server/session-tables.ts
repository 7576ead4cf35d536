import type { Http2Session } from "node:http2";
import { FirstSet } from "./first-set.ts";
import { SlotMap } from "./slot-map.ts";

/** What Node keeps about a session under a symbol. */
interface SessionState {
  /** The open streams by their ids. */
  streams: Map<number, unknown>;
  /** Streams without an id. A stream of a server is in it only while it is made. */
  pendingStreams: Set<object>;
}

/**
 * Replaces the tables of a new session's streams. Node's are a Map and a Set. A Map that thousands of entries pass through leaves a chain of
 * outgrown tables, each with the streams that were open then. Once the oldest table is promoted, the garbage collector copies and promotes
 * all streams of the session, although they have ended: half of what it promoted under load. Returns false, and changes nothing, if Node
 * has changed.
 */
export function replaceStreamTables(session: Http2Session): boolean {
  const symbol = Object.getOwnPropertySymbols(session).find(({ description }) => description === "state");
  const state = symbol && (session as unknown as Record<symbol, SessionState | undefined>)[symbol];
  if (state?.streams?.size !== 0 || state.pendingStreams?.size !== 0) return false;
  state.streams = new SlotMap();
  state.pendingStreams = new FirstSet();
  return true;
}
