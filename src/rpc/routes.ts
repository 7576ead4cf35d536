import type { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import type { Implementations } from "../call/methods.ts";
import { Failure } from "../error/failure.ts";
import type { KeyService } from "../service/key-service.ts";
import { getIssuedApiKey } from "./get-issued-api-key.ts";
import { issueApiKey } from "./issue-api-key.ts";
import { listIssuedApiKeys } from "./list-issued-api-keys.ts";
import { revokeApiKey } from "./revoke-api-key.ts";
import { rotateIssuedApiKey } from "./rotate-issued-api-key.ts";
import { selfRevokeApiKey } from "./self-revoke-api-key.ts";
import { updateIssuedApiKey } from "./update-issued-api-key.ts";
import { type VerifyRpcOptions, verifyApiKey } from "./verify-api-key.ts";

/** The method implementations of the service, by method. */
export function implementationsOf(service: KeyService, verification: VerifyRpcOptions): Implementations<typeof ApiKeysService> {
  return {
    adminIssueApiKey: issueApiKey(service),
    adminGetIssuedApiKey: getIssuedApiKey(service),
    adminListIssuedApiKeys: listIssuedApiKeys(service),
    adminUpdateIssuedApiKey: updateIssuedApiKey(service),
    adminRotateIssuedApiKey: rotateIssuedApiKey(service),
    adminRevokeApiKey: revokeApiKey(service),
    adminImportApiKey: unimplemented,
    adminBatchImportApiKeys: unimplemented,
    adminGetImportedApiKey: unimplemented,
    adminListImportedApiKeys: unimplemented,
    adminUpdateImportedApiKey: unimplemented,
    adminDeleteImportedApiKey: unimplemented,
    adminVerifyApiKey: verifyApiKey(verification),
    adminBatchVerifyApiKeys: unimplemented,
    adminDeriveToken: unimplemented,
    getJwks: unimplemented,
    revokeApiKey: selfRevokeApiKey(service),
  };
}

function unimplemented(): never {
  throw new Failure("UNIMPLEMENTED");
}
