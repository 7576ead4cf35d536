import { type DescMessage, fromBinary, type JsonValue, toBinary, toJson } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { detailSchemas, failureStatus } from "../call/error-details.ts";
import type { Failure } from "../error/failure.ts";
import { type CodeName, errorTable } from "../error/table.ts";

/** Connect's own name of a code, and the HTTP status that stands for it (Connect protocol, "Error Codes"). */
export const connectCodes: Readonly<Record<CodeName, { name: string; httpStatus: number }>> = {
  CANCELLED: { name: "canceled", httpStatus: 499 },
  INVALID_ARGUMENT: { name: "invalid_argument", httpStatus: 400 },
  DEADLINE_EXCEEDED: { name: "deadline_exceeded", httpStatus: 504 },
  NOT_FOUND: { name: "not_found", httpStatus: 404 },
  ALREADY_EXISTS: { name: "already_exists", httpStatus: 409 },
  PERMISSION_DENIED: { name: "permission_denied", httpStatus: 403 },
  RESOURCE_EXHAUSTED: { name: "resource_exhausted", httpStatus: 429 },
  FAILED_PRECONDITION: { name: "failed_precondition", httpStatus: 400 },
  ABORTED: { name: "aborted", httpStatus: 409 },
  UNIMPLEMENTED: { name: "unimplemented", httpStatus: 501 },
  INTERNAL: { name: "internal", httpStatus: 500 },
  UNAVAILABLE: { name: "unavailable", httpStatus: 503 },
  UNAUTHENTICATED: { name: "unauthenticated", httpStatus: 401 },
};

/** One error detail: the type's name, its bytes, and the same as JSON for people who read errors. */
export interface ErrorDetail {
  readonly type: string;
  readonly value: Uint8Array;
  readonly debug?: JsonValue;
}

/** A failure with what all three protocols send of it. */
export interface RpcError {
  readonly code: CodeName;
  readonly message: string;
  readonly details: readonly ErrorDetail[];
}

export function rpcError(failure: Failure, requestId: string): RpcError {
  const status = failureStatus(failure, requestId);
  return { code: errorTable[failure.reason].code, message: status.message, details: status.details.map(errorDetail) };
}

const schemas = new Map<string, DescMessage>(detailSchemas.map((schema) => [schema.typeName, schema]));

function errorDetail({ typeUrl, value }: Any): ErrorDetail {
  const type = typeUrl.slice(typeUrl.lastIndexOf("/") + 1);
  const schema = schemas.get(type);
  return schema === undefined ? { type, value } : { type, value, debug: toJson(schema, fromBinary(schema, value)) };
}

/** The body of a Connect unary error: JSON, whatever the codec of the call. */
export function connectErrorBody({ code, message, details }: RpcError): Buffer {
  return Buffer.from(
    JSON.stringify({
      code: connectCodes[code].name,
      message,
      details: details.map((detail) => ({ ...detail, value: base64(detail.value) })),
    }),
  );
}

/** Status, percent-encoded message and google.rpc.Status, for a gRPC trailer. */
export function grpcErrorTrailers(failure: Failure, requestId: string): Record<string, string> {
  const status = failureStatus(failure, requestId);
  return {
    "grpc-status": String(status.code),
    "grpc-message": percentEncode(status.message),
    "grpc-status-details-bin": base64(toBinary(StatusSchema, status)),
  };
}

/** As gRPC over HTTP/2 has it: printable ASCII but "%" stays. Clients that decode no more than that (grpc-js) would show a "%3A" of encodeURIComponent. */
function percentEncode(text: string): string {
  return text.replace(/[^\x20-\x24\x26-\x7e]+/g, encodeURIComponent);
}

/** Standard base64 without padding, as gRPC and Connect send it. */
function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64").replace(/=+$/, "");
}
