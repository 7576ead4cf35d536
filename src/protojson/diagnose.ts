import { type DescEnum, type DescField, type DescMessage, type DescOneof, fromJson, ScalarType } from "@bufbuild/protobuf";
import { FieldMaskSchema, isWrapperDesc, TimestampSchema } from "@bufbuild/protobuf/wkt";
import type { FieldViolation } from "../error/failure.ts";
import { parseDurationNanos } from "./duration.ts";
import { childPath, fieldsByJsonName, isJsonObject, maxDepth, printableName } from "./fields.ts";
import type { Rewrite } from "./rewrite.ts";
import { enumProblem, mapKeyProblem, scalarProblem } from "./scalar-problem.ts";

/** More violations than this help nobody, and a hostile body could ask for millions. */
const maxViolations = 100;

interface Findings {
  readonly violations: FieldViolation[];
  readonly ignoreUnknown: boolean;
  readonly rewriteOf: (schema: DescMessage) => Rewrite | undefined;
}

/**
 * Why JSON cannot be read as a message: every field at fault, up to 100. Runs only after reading failed, so that reading itself need not
 * keep track of paths; the two agree on what is wrong. Descriptions never repeat a value, which may be a secret.
 */
export function diagnose(
  schema: DescMessage,
  json: unknown,
  path: string,
  ignoreUnknown: boolean,
  rewriteOf: Findings["rewriteOf"],
): FieldViolation[] {
  const findings: Findings = { violations: [], ignoreUnknown, rewriteOf };
  visitMessage(findings, schema, json, path, 1);
  return findings.violations;
}

function report(findings: Findings, field: string, description: string): void {
  if (findings.violations.length < maxViolations) findings.violations.push({ field, description });
}

function isFull(findings: Findings): boolean {
  return findings.violations.length >= maxViolations;
}

function visitMessage(findings: Findings, schema: DescMessage, json: unknown, path: string, depth: number): void {
  if (depth > maxDepth) {
    report(findings, path, `must not be nested more than ${maxDepth} levels deep`);
    return;
  }
  const visitWellKnown = wellKnown[schema.typeName];
  if (visitWellKnown !== undefined) {
    visitWellKnown(findings, json, path, depth);
    return;
  }
  if (isWrapperDesc(schema)) {
    reportIf(findings, path, json === null ? undefined : scalarProblem(wrappedScalar(schema), json));
    return;
  }
  if (!isJsonObject(json)) {
    report(findings, path, "must be a JSON object");
    return;
  }
  const fields = fieldsByJsonName(schema);
  const seenFields = new Set<DescField>();
  const seenOneofs = new Map<DescOneof, DescField>();
  for (const name of Object.keys(json)) {
    if (isFull(findings)) return;
    const field = fields.get(name);
    if (field === undefined) {
      if (!findings.ignoreUnknown) report(findings, childPath(path, printableName(name)), `is not a field of ${schema.name}`);
      continue;
    }
    const fieldPath = childPath(path, field.name);
    if (seenFields.has(field)) report(findings, fieldPath, "is given twice, in both casings");
    seenFields.add(field);
    const value = json[name];
    if (field.oneof !== undefined && !(field.fieldKind === "scalar" && value === null)) {
      const other = seenOneofs.get(field.oneof);
      if (other !== undefined && other !== field) report(findings, fieldPath, `cannot be given together with ${other.name}`);
      seenOneofs.set(field.oneof, field);
    }
    visitField(findings, field, value, fieldPath, depth);
  }
}

function visitField(findings: Findings, field: DescField, json: unknown, path: string, depth: number): void {
  if (field.fieldKind === "list") {
    if (json === null) return;
    if (!Array.isArray(json)) {
      report(findings, path, "must be a JSON array");
      return;
    }
    for (let i = 0; i < json.length && !isFull(findings); i++) visitItem(findings, field, json[i], `${path}[${i}]`, depth);
  } else if (field.fieldKind === "map") {
    if (json === null) return;
    if (!isJsonObject(json)) {
      report(findings, path, "must be a JSON object");
      return;
    }
    for (const key of Object.keys(json)) {
      if (isFull(findings)) return;
      const entryPath = `${path}[${printableName(key)}]`;
      reportIf(findings, entryPath, mapKeyProblem(field.mapKey, key));
      visitItem(findings, field, json[key], entryPath, depth);
    }
  } else if (json !== null || takesNull(field)) {
    visitValue(findings, field, json, path, depth);
  }
}

function visitItem(findings: Findings, field: DescField, json: unknown, path: string, depth: number): void {
  if (json === null && !takesNull(field)) report(findings, path, "must not be null");
  else visitValue(findings, field, json, path, depth);
}

function visitValue(findings: Findings, field: DescField, json: unknown, path: string, depth: number): void {
  if (field.message !== undefined) visitMessage(findings, field.message, json, path, depth + 1);
  else if (field.enum !== undefined) reportIf(findings, path, enumProblem(field.enum as DescEnum, json, findings.ignoreUnknown));
  else reportIf(findings, path, scalarProblem(field.scalar ?? ScalarType.STRING, json));
}

/** Null is a value of google.protobuf.Value and NullValue; everywhere else it stands for absence. */
function takesNull(field: DescField): boolean {
  return field.message?.typeName === "google.protobuf.Value" || field.enum?.typeName === "google.protobuf.NullValue";
}

type Visit = (findings: Findings, json: unknown, path: string, depth: number) => void;

const wellKnown: Readonly<Record<string, Visit>> = {
  "google.protobuf.Any": (findings, _json, path) => report(findings, path, "cannot be given as JSON here"),
  "google.protobuf.Timestamp": (findings, json, path) => {
    if (!isReadable(TimestampSchema, json)) report(findings, path, "must be an RFC 3339 timestamp");
  },
  "google.protobuf.Duration": (findings, json, path) => {
    if (typeof json !== "string" || parseDurationNanos(json) === undefined) {
      report(findings, path, "must be a duration such as 3600s, 1h30m or 30d");
    }
  },
  "google.protobuf.FieldMask": (findings, json, path) => {
    if (!isReadable(FieldMaskSchema, json, findings.rewriteOf(FieldMaskSchema))) {
      report(findings, path, "must be a string of field names with commas between them");
    }
  },
  "google.protobuf.Struct": (findings, json, path, depth) => {
    if (!isJsonObject(json)) report(findings, path, "must be a JSON object");
    else visitJson(findings, json, path, depth);
  },
  "google.protobuf.ListValue": (findings, json, path, depth) => {
    if (!Array.isArray(json)) report(findings, path, "must be a JSON array");
    else visitJson(findings, json, path, depth);
  },
  "google.protobuf.Value": (findings, json, path, depth) => visitJson(findings, json, path, depth + 1),
};

function visitJson(findings: Findings, json: unknown, path: string, depth: number): void {
  if (isFull(findings)) return;
  if (depth > maxDepth) report(findings, path, `must not be nested more than ${maxDepth} levels deep`);
  else if (typeof json === "string" && !json.isWellFormed()) report(findings, path, "must be valid Unicode");
  else if (typeof json === "number" && !Number.isFinite(json)) report(findings, path, "must be a number that fits 64 bits");
  else if (Array.isArray(json)) for (let i = 0; i < json.length; i++) visitJson(findings, json[i], `${path}[${i}]`, depth + 1);
  else if (isJsonObject(json)) {
    for (const name of Object.keys(json)) {
      const memberPath = childPath(path, printableName(name));
      if (!name.isWellFormed()) report(findings, memberPath, "must have valid Unicode as its name");
      visitJson(findings, json[name], memberPath, depth + 1);
    }
  }
}

function isReadable(schema: DescMessage, json: unknown, rewrite?: Rewrite): boolean {
  try {
    fromJson(schema, (rewrite === undefined ? json : rewrite(json, 1, new Set())) as never);
    return true;
  } catch {
    return false;
  }
}

function wrappedScalar(schema: DescMessage): ScalarType {
  return schema.fields[0]?.scalar ?? ScalarType.STRING;
}

function reportIf(findings: Findings, path: string, problem: string | undefined): void {
  if (problem !== undefined) report(findings, path, problem);
}
