import { type DescField, type DescMessage, getOption, hasOption, ScalarType } from "@bufbuild/protobuf";
import { protoCamelCase, protoSnakeCase } from "@bufbuild/protobuf/reflect";
import { isWrapperDesc } from "@bufbuild/protobuf/wkt";
import { FieldBehavior, field_behavior } from "../../gen/google/api/field_behavior_pb.ts";
import { protobufDuration } from "./duration.ts";
import { isJsonObject, type JsonMembers, maxDepth, memberOf } from "./fields.ts";
import { integerText, isNumeral } from "./numeral.ts";

/**
 * Turns what this service takes beyond protobuf JSON into protobuf JSON: durations as people write them, field masks in snake_case,
 * and masks of the members that are present. It also refuses what protobuf-es would accept: strings that JavaScript reads as numbers and
 * JSON does not (`0x10`, ` 5`), and, inside Struct, Value and ListValue, numbers beyond a double and halves of surrogate pairs, which nobody
 * could write out again. Returns the same value if nothing has to change, never changes its argument, and throws a plain Error if the JSON
 * cannot be read anyway.
 *
 * `bound` are fields that are not the JSON's to give; masks leave them out.
 */
export type Rewrite = (json: unknown, depth: number, bound: ReadonlySet<DescField>) => unknown;

interface Step {
  readonly field: DescField;
  readonly rewrite: Rewrite;
}

/** Answers the rewrite of a schema, compiled once; undefined for a schema that needs none, so that it costs nothing. */
export function createRewrites(presenceMasks: ReadonlyMap<DescMessage, DescField>): (schema: DescMessage) => Rewrite | undefined {
  for (const [schema, mask] of presenceMasks) checkMask(schema, mask);
  const rewrites = new Map<DescMessage, Rewrite | undefined>();

  function compile(schema: DescMessage): Rewrite | undefined {
    if (rewrites.has(schema)) return rewrites.get(schema);
    const leaf = leafRewrite(schema);
    if (leaf !== undefined || !reachesRewrite(schema, presenceMasks, new Set())) {
      rewrites.set(schema, leaf);
      return leaf;
    }
    const steps: Step[] = [];
    const mask = presenceMasks.get(schema);
    const rewriteMessage: Rewrite = (json, depth, bound) => {
      if (depth > maxDepth) throw new Error("nested too deeply");
      if (!isJsonObject(json)) return json;
      let result = json;
      for (const { field, rewrite } of steps) {
        result = rewriteMember(result, field.name, rewrite, depth, bound, json);
        if (field.jsonName !== field.name) result = rewriteMember(result, field.jsonName, rewrite, depth, bound, json);
      }
      return mask === undefined ? result : withPresenceMask(result, schema, mask, bound, json);
    };
    // Set before the fields are compiled, so that a recursive message finds itself.
    rewrites.set(schema, rewriteMessage);
    for (const field of schema.fields) {
      const rewrite = field.message === undefined ? scalarRewrite(field) : compile(field.message);
      if (rewrite !== undefined) steps.push({ field, rewrite: fieldRewrite(field, rewrite) });
    }
    return rewriteMessage;
  }
  return compile;
}

function reachesRewrite(schema: DescMessage, masks: ReadonlyMap<DescMessage, DescField>, seen: Set<DescMessage>): boolean {
  if (leafRewrite(schema) !== undefined || masks.has(schema)) return true;
  if (seen.has(schema)) return false;
  seen.add(schema);
  return schema.fields.some((field) =>
    field.message === undefined ? scalarRewrite(field) !== undefined : reachesRewrite(field.message, masks, seen),
  );
}

function rewriteMember(
  result: JsonMembers,
  name: string,
  rewrite: Rewrite,
  depth: number,
  bound: ReadonlySet<DescField>,
  original: JsonMembers,
): JsonMembers {
  const value = memberOf(original, name);
  if (value === undefined || value === null) return result;
  const rewritten = rewrite(value, depth + 1, bound);
  return rewritten === value ? result : setMember(result, name, rewritten, original);
}

/** Copies the object before its first change. */
function setMember(result: JsonMembers, name: string, value: unknown, original: JsonMembers): JsonMembers {
  const copy = result === original ? { ...original } : result;
  copy[name] = value;
  return copy;
}

function fieldRewrite(field: DescField, rewrite: Rewrite): Rewrite {
  if (field.fieldKind === "list") {
    return (json, depth, bound) => {
      if (!Array.isArray(json)) return json;
      let result: unknown[] = json;
      for (let i = 0; i < json.length; i++) {
        const item = rewrite(json[i], depth, bound);
        if (item === json[i]) continue;
        if (result === json) result = json.slice();
        result[i] = item;
      }
      return result;
    };
  }
  if (field.fieldKind === "map") {
    return (json, depth, bound) => {
      if (!isJsonObject(json)) return json;
      let result = json;
      for (const key of Object.keys(json)) {
        const value = rewrite(json[key], depth, bound);
        if (value !== json[key]) result = setMember(result, key, value, json);
      }
      return result;
    };
  }
  return rewrite;
}

/** Of a scalar field, or of the values of one. */
function scalarRewrite(field: DescField): Rewrite | undefined {
  switch (field.scalar) {
    case undefined:
    case ScalarType.STRING:
    case ScalarType.BOOL:
    case ScalarType.BYTES:
      return undefined;
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return floatRewrite;
    default:
      return integerRewrite;
  }
}

const integerRewrite: Rewrite = (json) => {
  if (typeof json !== "string") return json;
  const text = integerText(json);
  if (text === undefined) throw new Error("not an integer");
  return text;
};

const floatRewrite: Rewrite = (json) => {
  if (typeof json !== "string" || isNumeral(json) || /^(?:NaN|-?Infinity)$/.test(json)) return json;
  throw new Error("not a number");
};

/** Of a message whose JSON is not an object of its fields. */
function leafRewrite(schema: DescMessage): Rewrite | undefined {
  const [value] = schema.fields;
  return isWrapperDesc(schema) && value !== undefined ? scalarRewrite(value) : leafRewrites[schema.typeName];
}

const leafRewrites: Readonly<Record<string, Rewrite>> = {
  "google.protobuf.Duration": (json) => {
    if (typeof json !== "string") return json;
    const duration = protobufDuration(json);
    if (duration === undefined) throw new Error("no duration");
    return duration;
  },
  "google.protobuf.FieldMask": (json) => {
    if (isEmptyMask(json)) return "";
    return typeof json === "string" && json.includes("_") ? camelMask(json) : json;
  },
  "google.protobuf.Struct": (json, depth) => checkMembers(json, depth),
  "google.protobuf.ListValue": (json, depth) => checkMembers(json, depth),
  "google.protobuf.Value": (json, depth) => {
    checkValue(json, depth);
    return json;
  },
};

function checkMembers(json: unknown, depth: number): unknown {
  if (typeof json === "object" && json !== null) checkValue(json, depth);
  return json;
}

function checkValue(json: unknown, depth: number): void {
  if (typeof json === "string") {
    if (!json.isWellFormed()) throw new Error("no Unicode");
  } else if (typeof json === "number") {
    if (!Number.isFinite(json)) throw new Error("beyond a double");
  } else if (typeof json === "object" && json !== null) {
    if (depth > maxDepth) throw new Error("nested too deeply");
    if (Array.isArray(json)) {
      for (const item of json) checkValue(item, depth + 1);
    } else {
      for (const name of Object.keys(json)) {
        checkValue(name, depth);
        checkValue((json as JsonMembers)[name], depth + 1);
      }
    }
  }
}

/** Some clients write the mask that they have as a message. Only an empty one says the same in every protocol. */
function isEmptyMask(json: unknown): boolean {
  if (json === "") return true;
  if (!isJsonObject(json)) return false;
  const { paths = [], ...rest } = json;
  return Array.isArray(paths) && paths.length === 0 && Object.keys(rest).length === 0;
}

/** Protobuf JSON writes masks in lowerCamelCase; a path that would not come back as it was is refused (`a_1`). */
function camelMask(text: string): string {
  return text
    .split(",")
    .map((path) => {
      if (!path.includes("_")) return path;
      const camel = protoCamelCase(path);
      if (protoSnakeCase(camel) !== path) throw new Error("no field mask");
      return camel;
    })
    .join(",");
}

/**
 * Adds the mask of the members that are present, unless the JSON carries one that names something. Null counts as absent. Fields that are
 * always required are left out: their presence says nothing.
 */
function withPresenceMask(
  result: JsonMembers,
  schema: DescMessage,
  mask: DescField,
  bound: ReadonlySet<DescField>,
  original: JsonMembers,
): JsonMembers {
  const given = (field: DescField) => memberOf(original, field.name) ?? memberOf(original, field.jsonName) ?? null;
  const isPresent = (field: DescField) => given(field) !== null;
  if (isPresent(mask) && !isEmptyMask(given(mask))) return result;
  const present = schema.fields.filter((field) => field !== mask && !bound.has(field) && !isRequired(field) && isPresent(field));
  const maskName = Object.hasOwn(original, mask.jsonName) ? mask.jsonName : mask.name;
  return setMember(result, maskName, present.map((field) => protoCamelCase(field.name)).join(","), original);
}

function isRequired(field: DescField): boolean {
  return hasOption(field, field_behavior) && getOption(field, field_behavior).includes(FieldBehavior.REQUIRED);
}

function checkMask(schema: DescMessage, mask: DescField): void {
  if (mask.parent !== schema || mask.fieldKind !== "message" || mask.message.typeName !== "google.protobuf.FieldMask") {
    throw new Error(`${mask} is not a google.protobuf.FieldMask of ${schema.typeName}`);
  }
  for (const field of schema.fields) {
    if (protoSnakeCase(protoCamelCase(field.name)) !== field.name) throw new Error(`${field} cannot be named in a field mask`);
  }
}
