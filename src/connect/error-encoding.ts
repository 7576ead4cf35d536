import { type DescMessage, fromBinary, type JsonValue, toBinary, toJson } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { type Status, StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { detailSchemas } from "../call/error-details.ts";
import { connectCodes } from "./connect-codes.ts";

/** One error detail: the type's name, its bytes, and the same as JSON for human readers. */
export interface ErrorDetail {
  readonly type: string;
  readonly value: Uint8Array;
  readonly debug?: JsonValue;
}

const schemas = new Map<string, DescMessage>(detailSchemas.map((schema) => [schema.typeName, schema]));

export function errorDetail({ typeUrl, value }: Any): ErrorDetail {
  const type = typeUrl.slice(typeUrl.lastIndexOf("/") + 1);
  const schema = schemas.get(type);
  return schema === undefined ? { type, value } : { type, value, debug: toJson(schema, fromBinary(schema, value)) };
}

/** The HTTP status of a Connect unary error. */
export function connectHttpStatus(code: number): number {
  return connectCodes.get(code)?.httpStatus ?? 500;
}

/** An error in Connect's JSON form, whatever the codec of the call. */
export function connectError({ code, message, details }: Status) {
  return {
    code: connectCodes.get(code)?.name,
    message,
    details: details.map(errorDetail).map((detail) => ({ ...detail, value: base64(detail.value) })),
  };
}

/** The body of a Connect unary error. */
export function connectErrorBody(status: Status): Buffer {
  return Buffer.from(JSON.stringify(connectError(status)));
}

/** The trailers of a success. */
export const okTrailers = { "grpc-status": "0" };

/** Status, percent-encoded message and google.rpc.Status, for a gRPC trailer. */
export function grpcErrorTrailers(status: Status): Record<string, string> {
  const trailers = { "grpc-status": String(status.code), "grpc-message": percentEncode(status.message) };
  return status.details.length === 0 ? trailers : { ...trailers, "grpc-status-details-bin": base64(toBinary(StatusSchema, status)) };
}

/**
 * Percent-encodes as gRPC over HTTP/2 specifies: printable ASCII except "%" stays. Clients that decode only that (grpc-js) would show a
 * "%3A" of encodeURIComponent.
 */
export function percentEncode(text: string): string {
  return text.replace(/[^\x20-\x24\x26-\x7e]+/g, encodeURIComponent);
}

/** Standard base64 without padding, as gRPC and Connect send it. */
function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64").replace(/=+$/, "");
}
