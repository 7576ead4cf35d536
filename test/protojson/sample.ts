import { join } from "node:path";
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { compileProto } from "./compile-proto.ts";

const registry = compileProto(join(import.meta.dirname, "sample.proto"));

export function sampleMessage(name: string): DescMessage {
  const schema = registry.getMessage(`sample.v1.${name}`);
  if (schema === undefined) throw new Error(`no message ${name}`);
  return schema;
}

export const Everything = sampleMessage("Everything");

/** Returns the names of all other fields of a message. */
export function namesBeside(field: DescField): string[] {
  return field.parent.fields.filter((other) => other !== field).map(({ name }) => name);
}
