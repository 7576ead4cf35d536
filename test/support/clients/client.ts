import {
  createRegistry,
  type DescMethod,
  type DescMethodUnary,
  fromBinary,
  type JsonObject,
  type JsonValue,
  toJson,
} from "@bufbuild/protobuf";
import { detailSchemas } from "../../../src/call/error-details.ts";
import { isUnary } from "../../../src/call/methods.ts";
import { services } from "../../../src/rpc/methods.ts";

export interface CallOptions {
  /** Bearer token. Default: the one with which the client was opened; null: none. */
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Violation {
  readonly field: string;
  readonly description: string;
}

export interface Success {
  readonly ok: true;
  /** Protobuf JSON with snake_case names, whatever the wire format is. */
  readonly response: JsonObject;
  readonly headers: Headers;
}

export interface Refusal {
  readonly ok: false;
  /** Canonical name: INVALID_ARGUMENT. */
  readonly code: string;
  /** `reason` of the ErrorInfo; empty if there is none. */
  readonly reason: string;
  /** The violations of the BadRequest. */
  readonly violations: readonly Violation[];
  /** All details as protobuf JSON with snake_case names, each with its `@type`. */
  readonly details: readonly JsonObject[];
  readonly message: string;
  readonly headers: Headers;
  readonly httpStatus?: number;
}

export type Reply = Success | Refusal;

/** The API over one wire protocol. */
export interface Client extends AsyncDisposable {
  readonly name: string;
  /** `methodName` as in the contract: AdminIssueApiKey. `request` is protobuf JSON with snake_case names. */
  call(methodName: string, request: JsonObject, options?: CallOptions): Promise<Reply>;
}

/** The wire protocol as seen from outside. */
export interface WireProtocol {
  readonly httpVersion: "1.1" | "2";
  /** Content type of requests with a body, and of responses. */
  readonly contentType: RegExp;
  /** True if reads use GET. */
  readonly readsByGet: boolean;
}

/** The certificate of a client and the authorities that it trusts, in PEM. */
export interface ClientTls {
  readonly ca: Buffer;
  readonly cert?: Buffer | undefined;
  readonly key?: Buffer | undefined;
}

export interface ClientKind {
  readonly name: string;
  readonly wire: WireProtocol;
  /** True if a request is sent unchanged, so that it may be invalid in the contract. */
  readonly sendsAnyJson: boolean;
  /**
   * `tls` is for https:// URLs. fetch does not support it, so clients that use fetch throw. If the token is null, calls have none by
   * default.
   */
  open(url: string, token: string | null, tls?: ClientTls): Client;
}

const codeNames = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
];

export function codeName(code: number): string {
  return codeNames[code] ?? `code ${code}`;
}

const registry = createRegistry(...detailSchemas);

/** An error from its protocol's parts, with each detail as protobuf JSON with snake_case names. */
export function refusalFrom(error: Omit<Refusal, "ok" | "reason" | "violations">): Refusal {
  const detail = (typeName: string) => error.details.find((each) => each["@type"] === `type.googleapis.com/${typeName}`);
  const violations = (detail("google.rpc.BadRequest")?.field_violations ?? []) as unknown as Violation[];
  return {
    ok: false,
    ...error,
    reason: String(detail("google.rpc.ErrorInfo")?.reason ?? ""),
    violations: violations.map(({ field, description }) => ({ field, description })),
  };
}

/** A detail that arrived as protobuf. */
export function detailJson(typeName: string, bytes: Uint8Array): JsonObject {
  const schema = registry.getMessage(typeName);
  if (schema === undefined) throw new Error(`an error has a detail of unknown type ${typeName}`);
  const json = asObject(toJson(schema, fromBinary(schema, bytes), { useProtoFieldName: true }));
  return { "@type": `type.googleapis.com/${typeName}`, ...json };
}

export function methodNamed(name: string): DescMethodUnary {
  const method = services
    .flatMap(({ methods }) => methods as readonly DescMethod[])
    .filter(isUnary)
    .find((candidate) => candidate.name === name);
  if (method === undefined) throw new Error(`no unary method ${name} found`);
  return method;
}

export function pathOf(method: DescMethodUnary): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/** Request headers of a call, lower case. */
export function headersOf(defaultToken: string | null, { token = defaultToken, headers = {} }: CallOptions): Record<string, string> {
  return { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...headers };
}

export function asObject(value: JsonValue | undefined): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`not a JSON object: ${JSON.stringify(value)}`);
  return value;
}
