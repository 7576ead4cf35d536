import { type DescMessage, type Message, type Registry, toJson } from "@bufbuild/protobuf";
import type { Codec } from "./codec.ts";
import { envelopeHeaderBytes, setEnvelopeHeader } from "./envelope.ts";
import type { LaneOptions } from "./lane.ts";

/**
 * Encodes the message in protobuf or JSON, in its envelope if the codec has one. `registry` has the types that a google.protobuf.Any in it
 * may contain. Throws if the message cannot be encoded.
 */
export function encodeMessage(
  schema: DescMessage,
  message: Message,
  { binary, enveloped }: Pick<Codec, "binary" | "enveloped">,
  { registry, binaryWriter }: Pick<LaneOptions, "registry" | "binaryWriter">,
): Buffer {
  const headerBytes = enveloped ? envelopeHeaderBytes : 0;
  const bytes = binary ? binaryWriter.write(schema, message, headerBytes) : jsonBytes(schema, message, headerBytes, registry);
  return enveloped ? setEnvelopeHeader(bytes, 0) : bytes;
}

function jsonBytes(schema: DescMessage, message: Message, headerBytes: number, registry: Registry | undefined): Buffer {
  const text = JSON.stringify(toJson(schema, message, registry && { registry }));
  const bytes = Buffer.allocUnsafe(headerBytes + Buffer.byteLength(text));
  bytes.write(text, headerBytes);
  return bytes;
}
