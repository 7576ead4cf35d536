import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { isWrapperDesc } from "@bufbuild/protobuf/wkt";
import { protobufDuration } from "./duration.ts";
import { checkPresenceMask, type PresenceMask, presenceMask, rewriteFieldMask } from "./field-mask.ts";
import { isJsonObject, maxDepth, memberOf } from "./fields.ts";
import { checkValue } from "./json-value.ts";
import { integerText, isNumeral } from "./numeral.ts";

/**
 * Rewrites this service's additions to protobuf JSON as protobuf JSON: human-readable durations, field masks in snake_case, and masks of
 * the members that are present. Also refuses input that protobuf-es would accept: strings that JavaScript reads as numbers and JSON does
 * not (`0x10`, ` 5`), and, inside Struct, Value and ListValue, numbers beyond a double and halves of surrogate pairs. Never changes its
 * argument. Throws a plain Error if the JSON cannot be read anyway.
 *
 * Fields in `bound` have another source, and masks omit them.
 */
export type Rewrite = (json: unknown, depth: number, bound: ReadonlySet<DescField>) => unknown;

/** Returns the rewrite of a schema, which is compiled once. */
export function createRewrites(presenceMasks: ReadonlyMap<DescMessage, PresenceMask>): (schema: DescMessage) => Rewrite {
  for (const [schema, mask] of presenceMasks) checkPresenceMask(schema, mask);
  const rewrites = new Map<DescMessage, Rewrite>();

  return function compile(schema) {
    const known = rewrites.get(schema) ?? leafRewrite(schema);
    if (known !== undefined) return known;
    const steps: { readonly name: string; readonly rewrite: Rewrite }[] = [];
    const mask = presenceMasks.get(schema);
    const rewriteMessage: Rewrite = (json, depth, bound) => {
      if (depth > maxDepth) throw new Error("nested too deeply");
      if (!isJsonObject(json)) return json;
      let result = json;
      const set = (name: string, value: unknown): void => {
        if (result === json) result = { ...json };
        result[name] = value;
      };
      for (const { name, rewrite } of steps) {
        const value = memberOf(json, name) ?? null;
        const rewritten = value === null ? value : rewrite(value, depth + 1, bound);
        if (rewritten !== value) set(name, rewritten);
      }
      const present = mask && presenceMask(schema, mask, bound, json);
      if (mask !== undefined && present !== undefined)
        set(Object.hasOwn(json, mask.field.jsonName) ? mask.field.jsonName : mask.field.name, present);
      return result;
    };
    // Set before the fields are compiled, so that a recursive message finds itself.
    rewrites.set(schema, rewriteMessage);
    for (const field of schema.fields) {
      const rewrite = fieldRewrite(field, field.message === undefined ? scalarRewrite(field.scalar) : compile(field.message));
      if (rewrite !== undefined) for (const name of new Set([field.name, field.jsonName])) steps.push({ name, rewrite });
    }
    return rewriteMessage;
  };
}

function fieldRewrite(field: DescField, rewrite: Rewrite | undefined): Rewrite | undefined {
  if (rewrite === undefined) return undefined;
  if (field.fieldKind === "list") {
    return (json, depth, bound) => (Array.isArray(json) ? json.map((item) => rewrite(item, depth, bound)) : json);
  }
  if (field.fieldKind === "map") {
    return (json, depth, bound) =>
      isJsonObject(json) ? Object.fromEntries(Object.entries(json).map(([key, value]) => [key, rewrite(value, depth, bound)])) : json;
  }
  return rewrite;
}

function scalarRewrite(scalar: ScalarType | undefined): Rewrite | undefined {
  switch (scalar) {
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

/** The rewrite of a message whose JSON is not an object of its fields. */
function leafRewrite(schema: DescMessage): Rewrite | undefined {
  return isWrapperDesc(schema) ? scalarRewrite(schema.fields[0]?.scalar) : leafRewrites[schema.typeName];
}

const leafRewrites: Readonly<Record<string, Rewrite>> = {
  "google.protobuf.Duration": (json) => {
    if (typeof json !== "string") return json;
    const duration = protobufDuration(json);
    if (duration === undefined) throw new Error("not a duration");
    return duration;
  },
  "google.protobuf.FieldMask": rewriteFieldMask,
  "google.protobuf.Struct": checked,
  "google.protobuf.ListValue": checked,
  "google.protobuf.Value": checked,
};

function checked(json: unknown, depth: number): unknown {
  checkValue(json, depth);
  return json;
}
