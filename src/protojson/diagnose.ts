import { type DescField, type DescMessage, type DescOneof, ScalarType } from "@bufbuild/protobuf";
import type { FieldViolation } from "../error/failure.ts";
import type { Turns } from "../turns.ts";
import { expectation, scalarExpectation } from "./expectation.ts";
import {
  childPath,
  fieldsByJsonName,
  hasMembers,
  isJsonObject,
  type JsonMembers,
  maxDepth,
  nestingProblem,
  printableName,
} from "./fields.ts";
import { valueProblem } from "./json-value.ts";

/** More violations would not help, and a hostile body could cause millions. */
const maxViolations = 100;

export interface Diagnosis {
  readonly ignoreUnknown: boolean;
  /** Whether the JSON can be read as a message. */
  readonly isReadable: (schema: DescMessage, json: JsonMembers) => boolean;
}

/** Undefined after an item of a list, so that the search can pause there. */
type Problems = Generator<FieldViolation | undefined, void>;

/** One value of a field, with its path and its depth. */
interface ValueAt {
  readonly json: unknown;
  readonly path: string;
  readonly depth: number;
}

/**
 * Returns why JSON cannot be read as a message: every invalid field, up to 100. Runs only after reading failed, so that reading need not
 * track paths. Each scalar, enum and well-known message is read again as the only member of its message; one that fails is invalid.
 */
export function diagnose(diagnosis: Diagnosis, schema: DescMessage, json: unknown, path: string): FieldViolation[] {
  const violations: FieldViolation[] = [];
  for (const problem of messageProblems(diagnosis, schema, json, path, 1)) {
    if (problem !== undefined && violations.push(problem) === maxViolations) break;
  }
  return violations;
}

/** The same in several turns of the event loop. */
export async function diagnoseInTurns(diagnosis: Diagnosis, schema: DescMessage, json: unknown, turns: Turns): Promise<FieldViolation[]> {
  const violations: FieldViolation[] = [];
  for (const problem of messageProblems(diagnosis, schema, json, "", 1)) {
    if (problem !== undefined && violations.push(problem) === maxViolations) break;
    if (turns.isOver()) await turns.next();
  }
  return violations;
}

function* messageProblems(diagnosis: Diagnosis, schema: DescMessage, json: unknown, path: string, depth: number): Problems {
  if (!isJsonObject(json)) {
    yield { field: path, description: "must be a JSON object" };
    return;
  }
  const fields = fieldsByJsonName(schema);
  const seenFields = new Set<DescField>();
  const seenOneofs = new Map<DescOneof, DescField>();
  for (const name of Object.keys(json)) {
    const field = fields.get(name);
    if (field === undefined) {
      const isProblem = !diagnosis.ignoreUnknown;
      if (isProblem) yield { field: childPath(path, printableName(name)), description: `is not a field of ${schema.name}` };
      continue;
    }
    const fieldPath = childPath(path, field.name);
    if (seenFields.has(field)) yield { field: fieldPath, description: "is given twice, in snake_case and in camelCase" };
    seenFields.add(field);
    if (field.oneof !== undefined && !(field.fieldKind === "scalar" && json[name] === null)) {
      const other = seenOneofs.get(field.oneof) ?? field;
      if (other !== field) yield { field: fieldPath, description: `cannot be given together with ${other.name}` };
      seenOneofs.set(field.oneof, field);
    }
    yield* fieldProblems(diagnosis, field, json[name], fieldPath, depth);
  }
}

function* fieldProblems(diagnosis: Diagnosis, field: DescField, json: unknown, path: string, depth: number): Problems {
  // A long list without a problem is read once, not item by item.
  if (field.message === undefined && diagnosis.isReadable(field.parent, { [field.name]: json })) return;
  if (field.fieldKind === "list" && Array.isArray(json)) {
    for (const [index, item] of json.entries()) {
      // An item of the outermost message is read at its own depth, so one that can be read has no problem.
      if (depth > 1 || !diagnosis.isReadable(field.parent, { [field.name]: [item] }))
        yield* valueProblems(diagnosis, field, { json: item, path: `${path}[${index}]`, depth }, [item]);
      yield undefined;
    }
  } else if (field.fieldKind === "map" && isJsonObject(json)) {
    for (const key of Object.keys(json)) {
      yield* entryProblems(diagnosis, field, key, { json: json[key], path: `${path}[${printableName(key)}]`, depth });
    }
  } else if (field.fieldKind === "list" || field.fieldKind === "map") {
    if (json !== null) yield { field: path, description: `must be a JSON ${field.fieldKind === "list" ? "array" : "object"}` };
  } else {
    yield* valueProblems(diagnosis, field, { json, path, depth }, json);
  }
}

/** One value of each JSON type that a field may accept. */
const sampleValues: readonly unknown[] = ["", 0, false, {}, "0s", "1970-01-01T00:00:00Z"];

function* entryProblems(diagnosis: Diagnosis, field: DescField & { readonly fieldKind: "map" }, key: string, value: ValueAt): Problems {
  const { json, path } = value;
  const isMessage = field.message !== undefined && hasMembers(field.message);
  // The key is valid if the map accepts any value under it.
  if (![isMessage ? {} : json, ...sampleValues].some((sample) => diagnosis.isReadable(field.parent, { [field.name]: { [key]: sample } }))) {
    yield { field: path, description: `must have ${scalarExpectation(field.mapKey, key)} as its key` };
  }
  const goodKey = field.mapKey === ScalarType.BOOL ? "true" : "1";
  yield* valueProblems(diagnosis, field, value, { [goodKey]: json });
}

/** The problems of one value of a field. `alone` is the JSON of the field if it holds only this value. */
function* valueProblems(diagnosis: Diagnosis, field: DescField, { json, path, depth }: ValueAt, alone: unknown): Problems {
  const { message } = field;
  if (message !== undefined && json !== null && depth >= maxDepth) yield { field: path, description: nestingProblem };
  else if (message !== undefined && json !== null && hasMembers(message)) yield* messageProblems(diagnosis, message, json, path, depth + 1);
  else if (message?.typeName === "google.protobuf.Value") yield* jsonProblems(json, path, depth + 2);
  else if (message?.typeName === "google.protobuf.Struct" && isJsonObject(json)) yield* jsonProblems(json, path, depth + 1);
  else if (message?.typeName === "google.protobuf.ListValue" && Array.isArray(json)) yield* jsonProblems(json, path, depth + 1);
  else if (!diagnosis.isReadable(field.parent, { [field.name]: alone })) yield { field: path, description: expectation(field, json) };
}

function* jsonProblems(json: unknown, path: string, depth: number): Problems {
  const problem = valueProblem(json, depth);
  if (problem !== undefined) yield { field: path, description: problem };
  else if (Array.isArray(json)) for (let i = 0; i < json.length; i++) yield* jsonProblems(json[i], `${path}[${i}]`, depth + 1);
  else if (isJsonObject(json)) {
    for (const name of Object.keys(json)) {
      const memberPath = childPath(path, printableName(name));
      if (!name.isWellFormed()) yield { field: memberPath, description: "name must be valid Unicode" };
      yield* jsonProblems(json[name], memberPath, depth + 1);
    }
  }
}
