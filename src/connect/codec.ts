import type { Protocol } from "../call/call.ts";

/** How the messages of a call are written: what its Content-Type says. */
export interface Codec {
  readonly protocol: Exclude<Protocol, "json-http">;
  /** Protobuf's binary format; else its JSON. */
  readonly binary: boolean;
  /** Messages come in envelopes: a flag byte, four bytes of length, the message. All but Connect's unary calls. */
  readonly enveloped: boolean;
}

const pattern = /^application\/(?:(?:(grpc-web|grpc|connect)\+)?(?:(proto)|json(?:; ?charset=utf-?8)?)|(grpc-web|grpc))$/i;

/** What nearly all callers send, read once. */
const common = new Map(
  ["application/json", "application/proto", "application/grpc", "application/grpc+proto"].map((type) => [type, parse(type)]),
);

/** The codec of a Content-Type, or undefined where it is none of Connect, gRPC and gRPC-Web. */
export function codecOf(contentType: string | undefined): Codec | undefined {
  return contentType === undefined ? undefined : (common.get(contentType) ?? parse(contentType));
}

function parse(contentType: string): Codec | undefined {
  const match = pattern.exec(contentType);
  if (match === null) return undefined;
  const envelope = (match[1] ?? match[3])?.toLowerCase();
  return {
    protocol: envelope === "grpc" || envelope === "grpc-web" ? envelope : "connect",
    binary: match[2] !== undefined || match[3] !== undefined,
    enveloped: envelope !== undefined,
  };
}

/** The Content-Type of the codec, in the form the protocols prefer. */
export function contentTypeOf(codec: Codec): string {
  const format = codec.binary ? "proto" : "json";
  return codec.enveloped ? `application/${codec.protocol}+${format}` : `application/${format}`;
}
