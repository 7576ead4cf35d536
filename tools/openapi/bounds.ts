import { type DescField, getOption, hasOption, isFieldSet } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { type FieldRules, FieldRulesSchema, field as fieldRules, Ignore } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { FieldBehavior, field_behavior } from "../../gen/google/api/field_behavior_pb.ts";
import type { Json } from "./json-schema.ts";

/** JSON Schema keywords by the names of `buf.validate` rules. A maximum length in bytes also bounds the length in characters. */
const keywords: Readonly<Record<string, string>> = {
  min_len: "minLength",
  max_len: "maxLength",
  max_bytes: "maxLength",
  pattern: "pattern",
  in: "enum",
  gte: "minimum",
  lte: "maximum",
  min_items: "minItems",
  max_items: "maxItems",
};

/** Rules that JSON Schema cannot express; the comment of their field describes them. Enums have `not_in`, which `excludedNumbers` reads. */
const saidInComments = new Set(["defined_only", "not_in", "items"]);

export interface Bounds {
  /** Keywords for the value, or for the list. */
  readonly own: Json;
  /** Keywords for the items of a list. */
  readonly items: Json;
}

/** The `buf.validate` rules of a field as JSON Schema. Throws for an unknown rule, so that none is omitted unnoticed. */
export function boundsOf(field: DescField): Bounds {
  const rules = rulesOf(field);
  const ofItems = rules?.type.case === "repeated" ? rules.type.value.items : undefined;
  return { own: keywordsOf(field, rules), items: keywordsOf(field, ofItems) };
}

/** Enum numbers that a request must not have. */
export function excludedNumbers(field: DescField): readonly number[] {
  const rules = rulesOf(field);
  return rules?.type.case === "enum" ? rules.type.value.notIn : [];
}

/** Returns whether a request without the field is refused. */
export function isRequired(field: DescField): boolean {
  if (getOption(field, field_behavior).includes(FieldBehavior.REQUIRED)) return true;
  const rules = rulesOf(field);
  if (rules === undefined || rules.ignore === Ignore.IF_ZERO_VALUE) return false;
  if (rules.required) return true;
  // Without presence an absent field counts as its zero value, which these rules refuse.
  const { own } = boundsOf(field);
  const refusesZero = [own.minLength, own.minimum, own.minItems].some((least) => typeof least === "number" && least > 0);
  return refusesZero && field.presence === FeatureSet_FieldPresence.IMPLICIT;
}

function rulesOf(field: DescField): FieldRules | undefined {
  return hasOption(field, fieldRules) ? getOption(field, fieldRules) : undefined;
}

function keywordsOf(field: DescField, rules: FieldRules | undefined): Json {
  const kind = rules?.type.case;
  if (rules === undefined || kind === undefined) return {};
  const desc = FieldRulesSchema.fields.find(({ localName }) => localName === kind)?.message;
  if (desc === undefined || rules.type.value === undefined) throw new Error(`${field}: rules of an unknown kind`);
  const values = reflect(desc, rules.type.value) as ReflectMessage;
  const found: Json = {};
  for (const rule of desc.fields) {
    if (!isFieldSet(rules.type.value, rule) || saidInComments.has(rule.name)) continue;
    // The bounds of durations are messages.
    if (rule.message !== undefined) continue;
    const keyword = keywords[rule.name];
    if (keyword === undefined) throw new Error(`${field}: tools/openapi/bounds.ts does not know the rule ${kind}.${rule.name}`);
    found[keyword] = plain(rule.fieldKind === "list" ? [...(values.get(rule) as Iterable<unknown>)] : values.get(rule));
  }
  return found;
}

/** Lengths and bounds are small, so their 64-bit integers are exact as numbers. */
function plain(value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}
