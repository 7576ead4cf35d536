import type { DescMethodUnary, Message } from "@bufbuild/protobuf";
import { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import type { ImportedApiKey } from "../../gen/keywright/v2alpha1/imported_api_key_pb.ts";
import type { IssueApiKeyResponse, RotateIssuedApiKeyResponse } from "../../gen/keywright/v2alpha1/issued_api_key_pb.ts";

/** How JSON/HTTP answers a success, where that is not a plain 200. */
export interface RestSuccess {
  readonly status: 200 | 201 | 204;
  /** Path of the resource that was made, for the Location header. */
  readonly location?: (response: Message) => string;
}

const methods = ApiKeysService.method;
const issuedPath = (keyId: string | undefined) => `/v2alpha1/admin/issuedApiKeys/${keyId}`;
const importedPath = (keyId: string) => `/v2alpha1/admin/importedApiKeys/${keyId}`;

export const restSuccesses: ReadonlyMap<DescMethodUnary, RestSuccess> = new Map<DescMethodUnary, RestSuccess>([
  [methods.adminIssueApiKey, { status: 201, location: (response) => issuedPath((response as IssueApiKeyResponse).issuedApiKey?.keyId) }],
  [
    methods.adminRotateIssuedApiKey,
    { status: 201, location: (response) => issuedPath((response as RotateIssuedApiKeyResponse).issuedApiKey?.keyId) },
  ],
  [methods.adminImportApiKey, { status: 201, location: (response) => importedPath((response as ImportedApiKey).keyId) }],
  [methods.adminRevokeApiKey, { status: 204 }],
  [methods.adminRevokeIssuedApiKey, { status: 204 }],
  [methods.adminRevokeImportedApiKey, { status: 204 }],
  [methods.adminDeleteImportedApiKey, { status: 204 }],
]);
