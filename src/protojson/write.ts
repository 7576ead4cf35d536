import { type DescMessage, type JsonValue, type MessageShape, toJson } from "@bufbuild/protobuf";

const options = { useProtoFieldName: true };

/** A message as protobuf JSON with proto field names: 64-bit integers as strings, what is not set left out. */
export function writeJson<S extends DescMessage>(schema: S, message: MessageShape<S>): JsonValue {
  return toJson(schema, message, options);
}
