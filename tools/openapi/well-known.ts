import type { Json } from "./json-schema.ts";

/** The format names google-duration and google-fieldmask are those of Google's own API descriptions. */
const schemas: Readonly<Record<string, Json>> = {
  "google.protobuf.Timestamp": { type: "string", format: "date-time" },
  "google.protobuf.Duration": { type: "string", format: "google-duration", examples: ["3600s"] },
  "google.protobuf.FieldMask": { type: "string", format: "google-fieldmask" },
  "google.protobuf.Struct": { type: "object", additionalProperties: true },
  "google.protobuf.Value": {},
  "google.protobuf.ListValue": { type: "array", items: {} },
  "google.protobuf.Empty": { type: "object" },
};

/** The JSON form of messages that protobuf JSON treats specially. Undefined for all others. */
export function wellKnownSchema(typeName: string): Json | undefined {
  const schema = schemas[typeName];
  if (schema === undefined && typeName.startsWith("google.")) throw new Error(`tools/openapi/well-known.ts has no schema for ${typeName}`);
  return schema === undefined ? undefined : { ...schema };
}
