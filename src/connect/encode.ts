import { type DescMessage, type Message, type Registry, toBinary, toJson } from "@bufbuild/protobuf";

/**
 * Encodes the message in protobuf or, if `binary` is false, in JSON. `registry` has the types that a google.protobuf.Any in it may hold.
 * Throws if the message has no such form.
 */
export function encodeMessage(schema: DescMessage, message: Message, binary: boolean, registry: Registry | undefined): Uint8Array {
  return binary ? toBinary(schema, message) : Buffer.from(JSON.stringify(toJson(schema, message, registry && { registry })));
}
