import type { Json } from "./json-schema.ts";

const keyId = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
const secret = `kw_v1_${keyId}_...`;
const hour = "3600s";
const issue = { name: "billing service", actor_id: "user_123", scopes: ["invoices:read"], ttl: "2592000s", metadata: { team: "billing" } };
const raw = { raw_key: "a-key-of-another-system", name: "billing service", actor_id: "user_123", scopes: ["invoices:read"] };
const revocation = { reason: "REVOCATION_REASON_KEY_COMPROMISE" };

/** Sample request bodies, by method. `test/tools/openapi/samples.test.ts` checks that the server accepts them. */
export const samples: Readonly<Record<string, Json>> = {
  AdminIssueApiKey: issue,
  AdminUpdateIssuedApiKey: { scopes: ["invoices:read", "invoices:write"] },
  AdminRotateIssuedApiKey: { grace_period: hour },
  AdminRevokeApiKey: revocation,
  AdminRevokeIssuedApiKey: revocation,
  AdminRevokeImportedApiKey: revocation,
  AdminDisableApiKey: {},
  AdminEnableApiKey: {},
  AdminImportApiKey: raw,
  AdminBatchImportApiKeys: { requests: [raw] },
  AdminBatchCreateImportedApiKeys: { requests: [raw] },
  AdminUpdateImportedApiKey: { rate_limit_policy: { quota: "1000", window: hour } },
  AdminVerifyApiKey: { credential: secret },
  AdminBatchVerifyApiKeys: { requests: [{ credential: secret }] },
  AdminDeriveToken: { credential: secret, algorithm: "TOKEN_ALGORITHM_JWT", ttl: hour },
  RevokeApiKey: { credential: secret, ...revocation },
  SelfInspect: { credential: secret },
  BatchSelfRevoke: { credentials: [secret], ...revocation },
  AdminCreateTenant: { display_name: "Acme", hosts: ["keys.acme.example"] },
  AdminUpdateTenant: { display_name: "Acme Ltd" },
  AdminSuspendTenant: {},
  AdminResumeTenant: {},
  AdminSetActorLimit: { actor_id: "user_123", rate_limit_policy: { quota: "1000", window: hour } },
  AdminRemoveActorLimit: { actor_id: "user_123" },
};
