import type { DescMessage, DescMethod } from "@bufbuild/protobuf";
import { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { maxJwtChars } from "../core/token/jwt.ts";
import { maxMacaroonLength } from "../core/token/macaroon-format.ts";
import { access } from "./access.ts";

/** Methods that anyone may call: those of the access table, health and reflection. */
const maxPublicBytes = 16 * 1024;
/** Bound of each message of a stream. Only health and reflection have streams. */
export const maxStreamMessageBytes = maxPublicBytes;
const maxBodyBytes = 1024 * 1024;
const maxBatchImportBytes = 16 * 1024 * 1024;

/** A batch holds 100 of the largest credentials that verify reads, each with 32 KiB for its scopes and other fields. */
const maxVerifications = 100;
const maxVerificationBytes = Math.max(maxJwtChars, maxMacaroonLength) + 32 * 1024;

const batchImports = [ApiKeysService.method.adminBatchImportApiKeys, ApiKeysService.method.adminBatchCreateImportedApiKeys] as const;

const larger: ReadonlyMap<DescMethod, number> = new Map<DescMethod, number>([
  [ApiKeysService.method.adminBatchVerifyApiKeys, maxVerifications * maxVerificationBytes],
  ...batchImports.map((method) => [method, maxBatchImportBytes] as const),
]);

/** Bound of a method's request, before and after inflating. */
export function maxBytes(method: DescMethod): number {
  const allowed = method.parent === ApiKeysService ? access[method.localName as keyof typeof access] : "public";
  return allowed === "public" ? maxPublicBytes : (larger.get(method) ?? maxBodyBytes);
}

/** A batch of 100 verifications with 100 required scopes each has 10,700 values, a key with the largest metadata some 2,300. */
const maxValues = 16_384;
/** 262 for each of 1000 imports. */
const maxBatchImportValues = 262_144;
const batchImportRequests = new Set<DescMessage>(batchImports.map(({ input }) => input));

/** Bound of the values (objects, arrays, strings, numbers, literals) in the JSON of a request: small ones cost far more than their bytes. */
export function maxJsonValues(request: DescMessage): number {
  return batchImportRequests.has(request) ? maxBatchImportValues : maxValues;
}
