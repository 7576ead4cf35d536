import { type DescEnum, protoInt64, ScalarType } from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import { integerText, isNumeral } from "./numeral.ts";

/** What is wrong with a JSON value for a scalar, in words that do not repeat it; undefined where protobuf JSON takes it. */
export function scalarProblem(scalar: ScalarType, json: unknown): string | undefined {
  switch (scalar) {
    case ScalarType.STRING:
      if (typeof json !== "string") return "must be a string";
      return json.isWellFormed() ? undefined : "must be valid Unicode";
    case ScalarType.BOOL:
      return typeof json === "boolean" ? undefined : "must be true or false";
    case ScalarType.BYTES:
      return typeof json === "string" && succeeds(() => base64Decode(json)) ? undefined : "must be a base64 string";
    case ScalarType.DOUBLE:
      return isFloat(json) ? undefined : "must be a number";
    case ScalarType.FLOAT:
      return isFloat(json) && fitsFloat32(Number(json)) ? undefined : "must be a number that fits 32 bits";
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return isInteger(json, -2147483648, 2147483647) ? undefined : "must be an integer from -2147483648 to 2147483647";
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return isInteger(json, 0, 4294967295) ? undefined : "must be an integer from 0 to 4294967295";
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return succeeds(() => protoInt64.uParse(wholeNumber(json))) ? undefined : "must be an integer of 64 bits, not negative";
    default:
      return succeeds(() => protoInt64.parse(wholeNumber(json))) ? undefined : "must be an integer of 64 bits";
  }
}

/** As scalarProblem, for enums: a value's name, or its number. Names that are not known are fine where unknown fields are ignored. */
export function enumProblem(desc: DescEnum, json: unknown, ignoreUnknown: boolean): string | undefined {
  const problem = `is not a value of ${desc.name}`;
  if (typeof json === "string")
    return ignoreUnknown || desc.values.some((v) => v.name === json || v.jsonName === json) ? undefined : problem;
  if (json === null) return undefined;
  if (!isInteger(json, -2147483648, 2147483647) || typeof json !== "number") return problem;
  return desc.open || desc.value[json] !== undefined ? undefined : problem;
}

/** As scalarProblem, for keys of maps, which JSON always has as strings. */
export function mapKeyProblem(scalar: ScalarType, key: string): string | undefined {
  if (scalar === ScalarType.BOOL) return key === "true" || key === "false" ? undefined : "must have true or false as its key";
  const problem = scalarProblem(scalar, key);
  return problem && `${problem} in its key`;
}

function isInteger(json: unknown, min: number, max: number): boolean {
  const value = typeof json === "string" ? Number(integerText(json) ?? Number.NaN) : json;
  return typeof value === "number" && Number.isInteger(value) && value >= min && value <= max;
}

/** A number as it is, a numeral as plain digits. Throws for all else. */
function wholeNumber(json: unknown): string | number {
  const value = typeof json === "string" ? integerText(json) : json;
  if (typeof value === "string" || typeof value === "number") return value;
  throw new Error("not an integer");
}

function isFloat(json: unknown): boolean {
  if (typeof json === "number") return Number.isFinite(json);
  return (
    json === "NaN" ||
    json === "Infinity" ||
    json === "-Infinity" ||
    (typeof json === "string" && isNumeral(json) && Number.isFinite(Number(json)))
  );
}

function fitsFloat32(value: number): boolean {
  return !Number.isFinite(value) || Number.isFinite(Math.fround(value));
}

function succeeds(attempt: () => unknown): boolean {
  try {
    attempt();
    return true;
  } catch {
    return false;
  }
}
