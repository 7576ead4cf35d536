import type { DescMessage, DescMethod } from "@bufbuild/protobuf";
import { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";

const maxBodyBytes = 1024 * 1024;
const maxBatchImportBytes = 16 * 1024 * 1024;
const batchImports = new Set<DescMethod>([
  ApiKeysService.method.adminBatchImportApiKeys,
  ApiKeysService.method.adminBatchCreateImportedApiKeys,
]);

/** Bound of a method's request, before and after inflating. */
export function maxBytes(method: DescMethod): number {
  return batchImports.has(method) ? maxBatchImportBytes : maxBodyBytes;
}

/** A batch of 100 verifications with 100 required scopes each has 10,700 values, a key with the largest metadata some 2,300. */
const maxValues = 16_384;
/** 262 for each of 1000 imports. */
const maxBatchImportValues = 262_144;
const batchImportRequests = new Set<DescMessage>([...batchImports].map(({ input }) => input));

/** Bound of the values (objects, arrays, strings, numbers, literals) in the JSON of a request: small ones cost far more than their bytes. */
export function maxJsonValues(request: DescMessage): number {
  return batchImportRequests.has(request) ? maxBatchImportValues : maxValues;
}
