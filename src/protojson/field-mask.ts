import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { protoCamelCase, protoSnakeCase } from "@bufbuild/protobuf/reflect";
import { isJsonObject, type JsonMembers, memberOf } from "./fields.ts";

/** A field mask that is filled from the members that are present in the JSON of its message. */
export interface PresenceMask {
  readonly field: DescField;
  /** The fields that it may name, by their names in proto. */
  readonly names: readonly string[];
}

/**
 * A field mask in protobuf JSON. Paths may also be in snake_case, and an empty mask may be written as a message. Throws a plain Error for a
 * path that cannot be converted back (`a_1`).
 */
export function rewriteFieldMask(json: unknown): unknown {
  if (isEmptyMask(json)) return "";
  if (typeof json !== "string") return json;
  const paths = json.split(",").map((path) => (path.includes("_") ? camelPath(path) : path));
  return paths.join(",");
}

function camelPath(path: string): string {
  const camel = protoCamelCase(path);
  if (protoSnakeCase(camel) !== path) throw new Error("not a field mask");
  return camel;
}

/** Some clients write a mask as a message. Only an empty one has the same meaning in every protocol. */
function isEmptyMask(json: unknown): boolean {
  if (json === "") return true;
  if (!isJsonObject(json)) return false;
  const { paths = [], ...rest } = json;
  return Array.isArray(paths) && paths.length === 0 && Object.keys(rest).length === 0;
}

/**
 * Returns the mask that names the members present in the JSON of a message, or undefined if the JSON has a mask that names something. Null
 * counts as absent.
 */
export function presenceMask(
  schema: DescMessage,
  { field: mask, names }: PresenceMask,
  bound: ReadonlySet<DescField>,
  json: JsonMembers,
): string | undefined {
  const given = (field: DescField) => memberOf(json, field.name) ?? memberOf(json, field.jsonName) ?? null;
  if (given(mask) !== null && !isEmptyMask(given(mask))) return undefined;
  const present = schema.fields.filter((field) => names.includes(field.name) && !bound.has(field) && given(field) !== null);
  return present.map((field) => protoCamelCase(field.name)).join(",");
}

/** Throws if `mask` cannot hold the presence mask of a message. */
export function checkPresenceMask(schema: DescMessage, { field: mask, names }: PresenceMask): void {
  if (mask.parent !== schema || mask.fieldKind !== "message" || mask.message.typeName !== "google.protobuf.FieldMask") {
    throw new Error(`${mask} is not a google.protobuf.FieldMask of ${schema.typeName}`);
  }
  for (const name of names) {
    if (!schema.fields.some((field) => field.name === name)) throw new Error(`${schema.typeName} has no field ${name}`);
    if (protoSnakeCase(protoCamelCase(name)) !== name) throw new Error(`${schema.typeName}.${name} cannot be named in a field mask`);
  }
}
