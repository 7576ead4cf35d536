import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import type { Codec } from "./codec.ts";
import { decodeWebText, webText } from "./grpc-web.ts";

/** The bytes of a request body in gRPC-Web's text form, as they arrive. Fails with MALFORMED_BODY. */
export async function* textRequest(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest = "";
  for await (const chunk of body) {
    const text = rest + Buffer.from(chunk).toString("latin1");
    const end = text.length - (text.length % 4);
    rest = text.slice(end);
    yield decodeWebText(text.slice(0, end));
  }
  if (rest !== "") yield decodeWebText(rest);
}

/** The same answer in the text form. Each message is padded for itself, so that a client can decode it when it is there. */
export function textResponse(answer: UniversalServerResponse, { contentType }: Codec): UniversalServerResponse {
  const header = new Headers(answer.header);
  header.set("content-type", contentType);
  return answer.body === undefined || answer.body === null ? { ...answer, header } : { ...answer, header, body: encodeAll(answer.body) };
}

async function* encodeAll(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) yield webText(chunk);
}
