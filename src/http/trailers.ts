import { constants, type ServerHttp2Stream } from "node:http2";

/** The trailers of a response. */
export interface Trailers {
  readonly fields: Readonly<Record<string, string>>;
  /** Writes them to the stream that wants them. */
  readonly send: (this: ServerHttp2Stream) => void;
}

export function createTrailers(fields: Readonly<Record<string, string>>): Trailers {
  return {
    fields,
    send() {
      this.sendTrailers(fields);
    },
  };
}

/** Node's native part of a stream, which takes trailers in Node's own encoding. Returns a negative number if it cannot send them. */
interface StreamHandle {
  trailers?(encoded: unknown): number;
}

/** Otherwise the client would wait for the end of the stream. */
function isSent(result: number | undefined): boolean {
  return result !== undefined && result >= 0;
}

/**
 * Trailers of many responses. Node encodes trailers for each and sends them in a later turn, which costs a tenth of a call
 * (bench/verify.ts). Here the first response shows how Node encodes them, and the others send the same bytes in the turn in which their
 * body ends, as nghttp2 allows. While Node does not show it, because it has changed, every response goes through Node.
 */
export function createLastingTrailers(fields: Readonly<Record<string, string>>): Trailers {
  let key: symbol | undefined;
  let encoded: unknown;

  const handleOf = (stream: ServerHttp2Stream): StreamHandle | undefined => {
    key ??= Object.getOwnPropertySymbols(stream).find(({ description }) => description === "kHandle");
    return key && (stream as unknown as Record<symbol, StreamHandle | undefined>)[key];
  };

  const learn = (stream: ServerHttp2Stream): void => {
    const handle = handleOf(stream);
    if (typeof handle?.trailers === "function") {
      const { trailers: send } = handle;
      handle.trailers = (list) => {
        encoded = list;
        return send.call(handle, list);
      };
    }
    stream.sendTrailers(fields);
  };

  return {
    fields,
    send() {
      // It was reset meanwhile. Node would throw.
      if (this.closed || this.destroyed) return;
      if (encoded === undefined) learn(this);
      else if (!isSent(handleOf(this)?.trailers?.(encoded))) this.close(constants.NGHTTP2_INTERNAL_ERROR);
    },
  };
}
