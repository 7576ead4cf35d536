import { create, type DescMessage } from "@bufbuild/protobuf";
import { AnySchema, anyPack } from "@bufbuild/protobuf/wkt";
import { BadRequestSchema, ErrorInfoSchema, QuotaFailureSchema, RequestInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { type Status, StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { BatchCreateImportedApiKeysResponseSchema } from "../../gen/keywright/v2alpha1/batch_create_pb.ts";
import { BatchImportApiKeysResponseSchema } from "../../gen/keywright/v2alpha1/imported_api_key_pb.ts";
import type { Failure, FieldViolation, QuotaViolation } from "../error/failure.ts";
import { codeNumbers, wireCodeOf } from "../error/table.ts";

/** `domain` of every ErrorInfo (AIP-193): reasons are unique within it. */
const errorDomain = "keywright";

/** The types of details, so that they can be written as JSON. */
export const detailSchemas: readonly DescMessage[] = [
  ErrorInfoSchema,
  RequestInfoSchema,
  BadRequestSchema,
  QuotaFailureSchema,
  BatchImportApiKeysResponseSchema,
  BatchCreateImportedApiKeysResponseSchema,
];

/**
 * gRPC sends the whole status in a trailer, and clients accept 8 KiB of trailers. Parts whose size a request controls are cut to fit, on
 * all protocols.
 */
const maxViolations = 16;
const maxMessageChars = 512;
const maxFieldChars = 128;
const maxDescriptionChars = 192;

/**
 * The failure as google.rpc.Status, which every protocol encodes in its own way: always with ErrorInfo and RequestInfo, and with BadRequest
 * if fields were at fault (the first 16 of them), QuotaFailure if a quota left no room, then the failure's own details. Texts are
 * well-formed UTF-16 and cut to a bounded length.
 */
export function failureStatus(failure: Failure, requestId: string): Status {
  const details = [
    anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason: failure.reason, domain: errorDomain })),
    anyPack(RequestInfoSchema, create(RequestInfoSchema, { requestId })),
  ];
  if (failure.violations.length > 0) {
    const fieldViolations = failure.violations.slice(0, maxViolations).map(clipViolation);
    details.push(anyPack(BadRequestSchema, create(BadRequestSchema, { fieldViolations })));
  }
  if (failure.quota !== null) details.push(anyPack(QuotaFailureSchema, quotaFailure(failure.quota)));
  for (const { typeName, value } of failure.details) details.push(create(AnySchema, { typeUrl: `type.googleapis.com/${typeName}`, value }));
  const message = clip(failure.message, maxMessageChars);
  return create(StatusSchema, { code: codeNumbers[wireCodeOf(failure.reason)], message, details });
}

function quotaFailure({ subject, quotaId, limit, used }: QuotaViolation) {
  const description = `${used} of ${limit} are in use`;
  return create(QuotaFailureSchema, { violations: [{ subject, quotaId, description, quotaValue: BigInt(limit) }] });
}

function clipViolation({ field, description }: FieldViolation): FieldViolation {
  return { field: clip(field, maxFieldChars), description: clip(description, maxDescriptionChars) };
}

/** Names of unknown members come from the caller and may contain lone surrogates, which UTF-8 cannot encode. */
function clip(text: string, maxChars: number): string {
  return (text.length <= maxChars ? text : `${text.slice(0, maxChars - 3)}...`).toWellFormed();
}
