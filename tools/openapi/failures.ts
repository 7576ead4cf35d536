import type { DescMethod } from "@bufbuild/protobuf";
import { Failure, invalidField } from "../../src/error/failure.ts";
import { errorTable, type Reason } from "../../src/error/table.ts";
import { failureBody } from "../../src/http/json-answer.ts";
import { commentOf } from "./comments.ts";
import { extensionMark, type Json, schemaRef } from "./json-schema.ts";

/** Reasons of every method, of methods with a body, of changes, and of methods that need a token. */
const ofAll: readonly Reason[] = ["INVALID_REQUEST", "TENANT_DENIED", "STORE_UNAVAILABLE", "SHUTTING_DOWN", "INTERNAL"];
const ofBodies: readonly Reason[] = ["MALFORMED_BODY", "UNSUPPORTED_MEDIA_TYPE", "BODY_TOO_LARGE", "TOO_MANY_BODIES"];
const ofVariables: readonly Reason[] = ["ROUTE_NOT_FOUND"];
const ofChanges: readonly Reason[] = ["CONCURRENT_CHANGE"];
const ofChangesOfKeys: readonly Reason[] = ["TENANT_SUSPENDED"];
const ofCallers: readonly Reason[] = ["UNAUTHENTICATED", "PERMISSION_DENIED", "TENANT_NOT_FOUND", "ISSUER_UNAVAILABLE"];

/** Reasons that no operation of the document has: those of other protocols, and those of requests for none of its operations. */
const elsewhere: readonly Reason[] = [
  "METHOD_NOT_ALLOWED",
  "UNDECLARED_COMPRESSION",
  "TOO_MANY_STREAMS",
  "STREAM_EXPIRED",
  "CANCELLED",
  "UNIMPLEMENTED",
  "DEADLINE_EXCEEDED",
];
/** Reasons that follow from the kind of a method. Comments name the others. */
const implied = new Set([...ofAll, ...ofBodies, ...ofVariables, ...ofChanges, ...ofChangesOfKeys, ...ofCallers, ...elsewhere]);

const reasons = Object.keys(errorTable) as Reason[];
const requestId = "0b5e2c5e-6a3e-4b6a-9a37-2d3c1a4f8e11";

export interface FailureContext {
  readonly method: DescMethod;
  readonly hasBody: boolean;
  /** Whether the path has a variable. */
  readonly hasVariable: boolean;
  readonly isPublic: boolean;
  readonly isRead: boolean;
  /** Whether the method is about all tenants, not about the keys of one. */
  readonly isOfInstallation: boolean;
}

/** Collects the responses of failures. */
export interface Failures {
  /** References to the responses of a method's failures, by HTTP status. */
  of(context: FailureContext): Json;
  /** All of them by name, sorted. */
  responses(): Json;
  /** An example of each failure that they have, as the server writes it. */
  examples(): Json;
}

export function createFailures(): Failures {
  const found = new Map<string, Json>();
  const used = new Set<Reason>();
  const refTo = (status: number, ofStatus: readonly Reason[]): Json => {
    const name = ofStatus.map(pascalCase).join("Or");
    found.set(name, responseOf(status, ofStatus));
    for (const reason of ofStatus) used.add(reason);
    return { $ref: `#/components/responses/${name}` };
  };
  return {
    of(context) {
      const mine = reasonsOf(context);
      const statuses = [...new Set(mine.map((reason) => errorTable[reason].httpStatus))].sort((a, b) => a - b);
      return Object.fromEntries(
        statuses.map((status) => [
          status,
          refTo(
            status,
            mine.filter((reason) => errorTable[reason].httpStatus === status),
          ),
        ]),
      );
    },
    responses: () => Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1))),
    examples: () => Object.fromEntries(reasons.filter((reason) => used.has(reason)).map((reason) => [reason, exampleOf(reason)])),
  };
}

function pascalCase(reason: Reason): string {
  return reason.replaceAll(/([A-Z])([A-Z]*)_?/g, (_, first: string, rest: string) => first + rest.toLowerCase());
}

/**
 * In the order of the table: reasons that follow from the kind of the method, and reasons in its comment and those of its requests' fields.
 */
function reasonsOf({ method, ...is }: FailureContext): readonly Reason[] {
  const ofMethod = `${commentOf(method.parent).text}\n${commentOf(method).text}`;
  const said = new Set([ofMethod, ...method.input.fields.map((field) => commentOf(field).text)].flatMap(reasonsIn));
  const codes = codesIn(ofMethod);
  const isOfCode = (reason: Reason) => codes.has(errorTable[reason].code) && reason.startsWith("TENANT_") === is.isOfInstallation;
  const isNamed = (reason: Reason) => said.has(reason) || isOfCode(reason);
  return reasons.filter((reason) => (implied.has(reason) ? isImplied(reason, is) : isNamed(reason)));
}

function reasonsIn(comment: string): readonly Reason[] {
  const words = new Set(comment.match(/\b[A-Z]+(?:_[A-Z]+)+\b/g));
  return reasons.filter((reason) => words.has(reason));
}

/** Codes that stand for all of their reasons, because the comment names none of these. */
function codesIn(comment: string): ReadonlySet<string> {
  const precise = new Set<string>(reasonsIn(comment).map((reason) => errorTable[reason].code));
  return new Set(comment.match(/\b[A-Z]+(?:_[A-Z]+)+\b/g)?.filter((word) => !precise.has(word)));
}

function isImplied(reason: Reason, is: Omit<FailureContext, "method">): boolean {
  if (ofBodies.includes(reason)) return is.hasBody;
  if (ofVariables.includes(reason)) return is.hasVariable;
  if (ofChanges.includes(reason)) return !is.isRead;
  if (ofChangesOfKeys.includes(reason)) return !is.isRead && !is.isOfInstallation;
  if (ofCallers.includes(reason)) return !is.isPublic;
  return ofAll.includes(reason);
}

function responseOf(status: number, ofStatus: readonly Reason[]): Json {
  const headers = [...(status === 401 ? ["WWW-Authenticate"] : []), ...(status === 429 ? ["Retry-After"] : []), "X-Request-Id"];
  return {
    description: ofStatus.map((reason) => `\`${reason}\`: ${errorTable[reason].text}`).join("\n\n"),
    headers: Object.fromEntries(headers.map((name) => [name, { $ref: `#/components/headers/${name}` }])),
    content: {
      "application/json": {
        schema: schemaRef("Status"),
        examples: Object.fromEntries(ofStatus.map((reason) => [reason, { $ref: `#/components/examples/${reason}` }])),
      },
    },
  };
}

function exampleOf(reason: Reason): Json {
  return { summary: errorTable[reason].text, value: failureBody(sampleOf(reason), requestId) };
}

function sampleOf(reason: Reason): Failure {
  return reason === "INVALID_REQUEST" ? invalidField("name", "must be at most 255 characters") : new Failure(reason);
}

/** google.rpc.Status with the `error` object of AIP-193 beside it (docs/http-and-errors.md). */
export const failureSchemas: Json = {
  Status: {
    type: "object",
    description: "A failure: `google.rpc.Status`, with the `error` object of AIP-193 beside its members.",
    properties: {
      code: { type: "integer", format: "int32", description: "Number of the canonical code (`google.rpc.Code`)." },
      message: { type: "string", description: "Explanation for people. It may change; programs read the reason." },
      details: {
        type: "array",
        items: schemaRef("Any"),
        description:
          "A `google.rpc.ErrorInfo`, whose `reason` programs read, and a `google.rpc.RequestInfo`. An invalid request also has a `google.rpc.BadRequest`, which names the fields, and an exhausted quota a `google.rpc.QuotaFailure`.",
      },
      error: {
        type: "object",
        description: "The same as AIP-193 writes it.",
        [extensionMark]: true,
        properties: {
          code: { type: "integer", format: "int32", description: "The HTTP status." },
          status: { type: "string", description: "Name of the canonical code." },
          message: { type: "string", description: "As `message` of the Status." },
          details: { type: "array", items: schemaRef("Any"), description: "As `details` of the Status." },
        },
        required: ["code", "status", "message", "details"],
      },
    },
    required: ["code", "message", "details", "error"],
  },
  Any: {
    type: "object",
    description: "A detail of a failure: a message with its type.",
    properties: { "@type": { type: "string", description: "Such as `type.googleapis.com/google.rpc.ErrorInfo`." } },
    required: ["@type"],
    additionalProperties: true,
  },
};
