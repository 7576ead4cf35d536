import type { Protocol } from "../call/call.ts";
import { parseMediaType } from "../http/media-type.ts";

/** The encoding of the messages of a call, from its Content-Type. */
export interface Codec {
  readonly protocol: Exclude<Protocol, "json-http">;
  /** True for protobuf's binary format, false for its JSON. */
  readonly binary: boolean;
  /** Messages have envelopes: a flag byte, four bytes of length, the message. True for everything but Connect's unary calls. */
  readonly enveloped: boolean;
  /** gRPC-Web's text form: the whole body in base64, for browsers that cannot read bytes while they arrive. */
  readonly text: boolean;
  /** The Content-Type of the response. */
  readonly contentType: string;
}

const formats = ["proto", "json"];
const codecs = new Map<string, Codec>();
for (const format of formats) {
  const binary = format === "proto";
  add(`application/${format}`, { protocol: "connect", binary, enveloped: false, text: false });
  add(`application/connect+${format}`, { protocol: "connect", binary, enveloped: true, text: false });
  add(`application/grpc+${format}`, { protocol: "grpc", binary, enveloped: true, text: false });
  add(`application/grpc-web+${format}`, { protocol: "grpc-web", binary, enveloped: true, text: false });
}
add("application/grpc-web-text+proto", { protocol: "grpc-web", binary: true, enveloped: true, text: true });
// The short forms mean protobuf.
for (const type of ["application/grpc", "application/grpc-web", "application/grpc-web-text"]) {
  codecs.set(type, codecs.get(`${type}+proto`) as Codec);
}

function add(contentType: string, codec: Omit<Codec, "contentType">): void {
  codecs.set(contentType, { ...codec, contentType });
}

/** The codec of a Content-Type, or undefined if it belongs to none of Connect, gRPC and gRPC-Web. */
export function codecOf(contentType: string | undefined): Codec | undefined {
  if (contentType === undefined) return undefined;
  return codecs.get(contentType) ?? parse(contentType);
}

function parse(contentType: string): Codec | undefined {
  const { essence, isUtf8 } = parseMediaType(contentType);
  const codec = codecs.get(essence);
  return isUtf8 || codec?.binary ? codec : undefined;
}
