import type { DescMethod } from "@bufbuild/protobuf";
import { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { maxJwtChars } from "../core/token/jwt.ts";
import { maxMacaroonLength } from "../core/token/macaroon-format.ts";
import { access } from "./access.ts";

/** Methods that anyone may call: those of the access table, health and reflection. */
const maxPublicBytes = 16 * 1024;
const maxBodyBytes = 1024 * 1024;
const maxBatchImportBytes = 16 * 1024 * 1024;

/** A batch holds 100 of the largest credentials that verify reads, each with 32 KiB for its scopes and other fields. */
const maxVerifications = 100;
const maxVerificationBytes = Math.max(maxJwtChars, maxMacaroonLength) + 32 * 1024;

const larger: ReadonlyMap<DescMethod, number> = new Map<DescMethod, number>([
  [ApiKeysService.method.adminBatchVerifyApiKeys, maxVerifications * maxVerificationBytes],
  [ApiKeysService.method.adminBatchImportApiKeys, maxBatchImportBytes],
  [ApiKeysService.method.adminBatchCreateImportedApiKeys, maxBatchImportBytes],
]);

/** Bound of a method's request, before and after inflating. */
export function maxBytes(method: DescMethod): number {
  const allowed = method.parent === ApiKeysService ? access[method.localName as keyof typeof access] : "public";
  return allowed === "public" ? maxPublicBytes : (larger.get(method) ?? maxBodyBytes);
}
