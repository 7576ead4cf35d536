import type { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { BatchCreateImportedApiKeysResponseSchema } from "../../gen/keywright/v2alpha1/batch_create_pb.ts";
import { BatchImportApiKeysResponseSchema } from "../../gen/keywright/v2alpha1/imported_api_key_pb.ts";
import type { Implementations } from "../call/methods.ts";
import type { TokenKeySource } from "../ports/token-keys.ts";
import type { KeyService } from "../service/key-service.ts";
import type { ViolationsOf } from "../validation/violations.ts";
import { maxVerifiedBytes } from "./answer-size.ts";
import { batchImportApiKeys } from "./api-keys/batch-import-api-keys.ts";
import { batchVerifyApiKeys } from "./api-keys/batch-verify-api-keys.ts";
import { deleteImportedApiKey } from "./api-keys/delete-imported-api-key.ts";
import { type DeriveRpcOptions, deriveToken } from "./api-keys/derive-token.ts";
import { disableApiKey } from "./api-keys/disable-api-key.ts";
import { getImportedApiKey } from "./api-keys/get-imported-api-key.ts";
import { getIssuedApiKey } from "./api-keys/get-issued-api-key.ts";
import { getJwks } from "./api-keys/get-jwks.ts";
import { importApiKey } from "./api-keys/import-api-key.ts";
import { issueApiKey } from "./api-keys/issue-api-key.ts";
import { listAuditEvents } from "./api-keys/list-audit-events.ts";
import { listImportedApiKeys } from "./api-keys/list-imported-api-keys.ts";
import { listIssuedApiKeys } from "./api-keys/list-issued-api-keys.ts";
import { revokeApiKey } from "./api-keys/revoke-api-key.ts";
import { rotateIssuedApiKey } from "./api-keys/rotate-issued-api-key.ts";
import { selfRevokeApiKey } from "./api-keys/self-revoke-api-key.ts";
import { updateImportedApiKey } from "./api-keys/update-imported-api-key.ts";
import { updateIssuedApiKey } from "./api-keys/update-issued-api-key.ts";
import { type VerifyRpcOptions, verifyApiKey } from "./api-keys/verify-api-key.ts";
import { batchBounds, createResponseTurns, listBounds, type StartTimer } from "./response-turns.ts";
import type { SelfServiceOptions } from "./self-service.ts";

/** The dependencies of the method implementations. */
export interface MethodParts {
  readonly service: KeyService;
  readonly verification: VerifyRpcOptions;
  readonly violationsOf: ViolationsOf;
  readonly derivation: DeriveRpcOptions;
  readonly tokenKeys: TokenKeySource;
  readonly selfService: SelfServiceOptions;
  readonly startTimer: StartTimer;
}

/** The method implementations of the service, by method. */
export function implementationsOf(parts: MethodParts): Implementations<typeof ApiKeysService> {
  const { service, verification, violationsOf, derivation, tokenKeys, selfService } = parts;
  const listInTurn = createResponseTurns(listBounds, parts.startTimer);
  const batchInTurn = createResponseTurns(batchBounds, parts.startTimer);
  return {
    adminIssueApiKey: issueApiKey(service),
    adminGetIssuedApiKey: getIssuedApiKey(service),
    adminListIssuedApiKeys: listInTurn(listIssuedApiKeys(service)),
    adminUpdateIssuedApiKey: updateIssuedApiKey(service),
    adminRotateIssuedApiKey: rotateIssuedApiKey(service),
    adminRevokeApiKey: revokeApiKey(service),
    adminRevokeIssuedApiKey: revokeApiKey(service, "issued"),
    adminRevokeImportedApiKey: revokeApiKey(service, "imported"),
    adminDisableApiKey: disableApiKey(service, true),
    adminEnableApiKey: disableApiKey(service, false),
    adminImportApiKey: importApiKey(service),
    adminBatchImportApiKeys: batchInTurn(batchImportApiKeys(service, violationsOf, BatchImportApiKeysResponseSchema)),
    adminBatchCreateImportedApiKeys: batchInTurn(batchImportApiKeys(service, violationsOf, BatchCreateImportedApiKeysResponseSchema)),
    adminGetImportedApiKey: getImportedApiKey(service),
    adminListImportedApiKeys: listInTurn(listImportedApiKeys(service)),
    adminUpdateImportedApiKey: updateImportedApiKey(service),
    adminDeleteImportedApiKey: deleteImportedApiKey(service),
    adminVerifyApiKey: verifyApiKey(verification),
    adminBatchVerifyApiKeys: batchInTurn(
      batchVerifyApiKeys(verification, violationsOf),
      ({ requests }) => requests.length * maxVerifiedBytes,
    ),
    adminDeriveToken: deriveToken(derivation),
    getJwks: getJwks(tokenKeys),
    revokeApiKey: selfRevokeApiKey(service, selfService),
    adminListAuditEvents: listInTurn(listAuditEvents(service)),
  };
}
