import { maxDepth, nestingProblem } from "./fields.ts";

/**
 * Returns the problem of a value inside google.protobuf.Struct, Value or ListValue, not counting the values it contains. Such a number or
 * string could not be written again.
 */
export function valueProblem(json: unknown, depth: number): string | undefined {
  if (depth > maxDepth) return nestingProblem;
  if (typeof json === "string" && !json.isWellFormed()) return "must be valid Unicode";
  if (typeof json === "number" && !Number.isFinite(json)) return "must be a number that fits 64 bits";
  return undefined;
}

/** Throws a plain Error if the value, or one inside it, has a problem. */
export function checkValue(json: unknown, depth: number): void {
  const problem = valueProblem(json, depth);
  if (problem !== undefined) throw new Error(problem);
  if (typeof json !== "object" || json === null) return;
  if (Array.isArray(json)) {
    for (const item of json) checkValue(item, depth + 1);
    return;
  }
  for (const [name, value] of Object.entries(json)) {
    checkValue(name, depth);
    checkValue(value, depth + 1);
  }
}
