import type { DescMethod, Message } from "@bufbuild/protobuf";
import type { ConnectRouter } from "@connectrpc/connect";
import type { Failure } from "../error/failure.ts";

/** Methods with streams that Connect's own handlers serve. */
export interface RegisteredStreams {
  readonly methods: readonly DescMethod[];
  /** Registers them on Connect's router. Called before the first call of one of them. */
  readonly register: (router: ConnectRouter) => void | Promise<void>;
}

/** A method with one request and a stream of messages, without Connect. */
export interface ServerStreamRoute {
  readonly method: DescMethod;
  readonly maxRequestBytes: number;
  /** Starts the call. Throws a Failure to refuse it. */
  open(request: Message, sink: MessageSink): void;
  /** Called after the end of the call, whichever side ended it. Called once for each `open` that did not throw. */
  close(sink: MessageSink): void;
}

/** The open response of such a call. */
export interface MessageSink {
  /** Identifies the connection; the same for all its calls. */
  readonly session: object;
  /** Sends an encoded message. A client that does not read loses its stream. */
  send(message: Uint8Array): void;
  /** Ends the call with OK, or with a failure. */
  end(failure?: Failure): void;
}
