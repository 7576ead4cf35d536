import type { DescMethod } from "@bufbuild/protobuf";
import { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";

const maxBodyBytes = 1024 * 1024;
const maxBatchImportBytes = 16 * 1024 * 1024;
/** Bound of a message of a stream. Only health and reflection have streams, and short messages. */
export const maxStreamMessageBytes = 64 * 1024;

const batchImports = new Set<DescMethod>([
  ApiKeysService.method.adminBatchImportApiKeys,
  ApiKeysService.method.adminBatchCreateImportedApiKeys,
]);

/** Bound of a method's request, before and after inflating. */
export function maxBytes(method: DescMethod): number {
  return batchImports.has(method) ? maxBatchImportBytes : maxBodyBytes;
}
