import type { DescMethodUnary, JsonObject, JsonValue } from "@bufbuild/protobuf";
import { ApiKeysService } from "../../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { isUnary } from "../../../src/call/methods.ts";

export interface CallOptions {
  /** Bearer token; by default the one the client was opened with, with null none at all. */
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Violation {
  readonly field: string;
  readonly description: string;
}

export interface Success {
  readonly ok: true;
  /** Protobuf JSON with snake_case names, whatever the wire had. */
  readonly response: JsonObject;
  readonly headers: Headers;
}

export interface Refusal {
  readonly ok: false;
  /** Canonical name: INVALID_ARGUMENT. */
  readonly code: string;
  /** `reason` of the ErrorInfo; empty where there is none. */
  readonly reason: string;
  /** Of the BadRequest. */
  readonly violations: readonly Violation[];
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

/** What a wire protocol looks like from outside. */
export interface WireProtocol {
  readonly httpVersion: "1.1" | "2";
  /** Of requests that have one, and of answers. */
  readonly contentType: RegExp;
  /** True where reads go as GET. */
  readonly readsByGet: boolean;
}

export interface ClientKind {
  readonly name: string;
  readonly wire: WireProtocol;
  /** True where a request is sent as it is, so that it may be no protobuf JSON of the contract. */
  readonly sendsAnyJson: boolean;
  open(url: string, token: string): Client;
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

export function methodNamed(name: string): DescMethodUnary {
  const method = ApiKeysService.methods.filter(isUnary).find((candidate) => candidate.name === name);
  if (method === undefined) throw new Error(`there is no unary method ${name}`);
  return method;
}

export function pathOf(method: DescMethodUnary): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/** Request headers of a call, lower case. */
export function headersOf(defaultToken: string, { token = defaultToken, headers = {} }: CallOptions): Record<string, string> {
  return { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...headers };
}

export function asObject(value: JsonValue | undefined): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`not a JSON object: ${JSON.stringify(value)}`);
  return value;
}
