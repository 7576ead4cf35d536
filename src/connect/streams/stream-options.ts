import type { Registry } from "@bufbuild/protobuf";
import type { RegisteredStreams } from "../../call/streams.ts";
import type { HttpRequest, HttpResponse } from "../../http/message.ts";
import type { Codec } from "../codec.ts";
import type { LaneOptions } from "../lane.ts";

/** Answers a call to a registered path. Rejects if writing fails. */
export type ServeStream = (path: string, codec: Codec, request: HttpRequest, response: HttpResponse) => Promise<void>;

export interface StreamAdapterOptions extends LaneOptions {
  /** Types that a google.protobuf.Any in a message may hold. */
  readonly registry?: Registry | undefined;
  /**
   * Methods with streams (health, reflection), written for Connect's router. They pass no options to it, because those would replace ours.
   */
  readonly streams: readonly RegisteredStreams[];
  /** Bound of each request message, before and after inflating. */
  readonly maxStreamMessageBytes: number;
  /** Default: 5, a quarter of the places for reflection. */
  readonly maxStreamsPerNetwork?: number;
  /** Ends streams with SHUTTING_DOWN. Unary calls finish, and the listener waits for them. */
  readonly shutdownSignal: AbortSignal;
}
