import { create } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { BadRequestSchema, ErrorInfoSchema, RequestInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { type Status, StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import type { Failure } from "../error/failure.ts";
import { codeNumbers, errorTable } from "../error/table.ts";

/** `domain` of every ErrorInfo (AIP-193): reasons are unique within it. */
export const errorDomain = "keywright";

/**
 * The failure as google.rpc.Status, which every protocol encodes in its own way: always with ErrorInfo and RequestInfo, and with
 * BadRequest where fields were at fault.
 */
export function failureStatus(failure: Failure, requestId: string): Status {
  const details = [
    anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason: failure.reason, domain: errorDomain })),
    anyPack(RequestInfoSchema, create(RequestInfoSchema, { requestId })),
  ];
  if (failure.violations.length > 0) {
    details.push(anyPack(BadRequestSchema, create(BadRequestSchema, { fieldViolations: failure.violations.map((v) => ({ ...v })) })));
  }
  return create(StatusSchema, { code: codeNumbers[errorTable[failure.reason].code], message: failure.message, details });
}
