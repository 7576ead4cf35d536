import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import type { Codec } from "../codec.ts";
import { decodeWebText, webText } from "../grpc-web.ts";

/** Decodes a request body in gRPC-Web's text form while its pieces arrive. Throws MALFORMED_BODY. */
export interface WebTextDecoder {
  /** Returns the bytes that are known after this piece. */
  decode(piece: Buffer): Buffer;
  /** Checks that the body is complete. */
  end(): void;
}

export function createWebTextDecoder(): WebTextDecoder {
  /** Characters of a group of four that is not complete. */
  let rest = "";
  return {
    decode(piece) {
      const text = rest + piece.toString("latin1");
      const end = text.length - (text.length % 4);
      rest = text.slice(end);
      return decodeWebText(text.slice(0, end));
    },
    end() {
      decodeWebText(rest);
    },
  };
}

/** Returns the answer in the text form. Each message is padded separately, so that a client can decode it as soon as it arrives. */
export function textResponse(answer: UniversalServerResponse, { contentType }: Codec): UniversalServerResponse {
  const header = new Headers(answer.header);
  header.set("content-type", contentType);
  return answer.body === undefined || answer.body === null ? { ...answer, header } : { ...answer, header, body: encodeAll(answer.body) };
}

async function* encodeAll(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) yield webText(chunk);
}
