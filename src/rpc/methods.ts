import type { MessageShape } from "@bufbuild/protobuf";
import { ActorLimitsService } from "../../gen/keywright/v2alpha1/actor_limits_service_pb.ts";
import { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { CallersService } from "../../gen/keywright/v2alpha1/callers_service_pb.ts";
import { HoldersService } from "../../gen/keywright/v2alpha1/holders_service_pb.ts";
import { TenantsService } from "../../gen/keywright/v2alpha1/tenants_service_pb.ts";
import type { Role } from "../core/role.ts";
import { type BodyBounds, batchImportBody, batchVerifyBody, publicBody, usualBody } from "./body-bounds.ts";

/** All services on the method table. */
export const services = [ApiKeysService, TenantsService, HoldersService, ActorLimitsService, CallersService] as const;

type Methods = typeof ApiKeysService.method &
  typeof TenantsService.method &
  typeof HoldersService.method &
  typeof ActorLimitsService.method &
  typeof CallersService.method;
export type MethodName = keyof Methods;

/**
 * Who may call a method: anyone, every known caller, or callers with one of the roles. The configuration may add roles
 * (admission/permissions.ts).
 */
export type Access = "public" | "caller" | readonly Role[];

/** The HTTP response of a success. */
export interface Success<Response> {
  readonly status: 200 | 201 | 204;
  /** Path of the created resource, for the Location header. */
  readonly location?: (response: Response) => string;
}

/** Properties of a method that its contract in proto/ does not state. */
export interface MethodRow<Response> {
  readonly access: Access;
  readonly success: Success<Response>;
  readonly body: BodyBounds;
  /**
   * Reads are logged as `debug`. A read whose request contains a credential is not NO_SIDE_EFFECTS, because those methods can be called
   * with GET.
   */
  readonly effect: "read" | "change";
  /** Whether the response can contain a secret. Caches must not store such a response (RFC 9111). */
  readonly hasSecret: boolean;
}

const admins = ["admin"] as const;
const issuers = ["admin", "issuer"] as const;
const auditors = ["admin", "auditor"] as const;
const verifiers = ["admin", "verifier"] as const;

const ok = { status: 200 } as const;
const noContent = { status: 204 } as const;

/** Exhaustive: a method without a row does not compile. */
export const methodRows = {
  adminIssueApiKey: { access: issuers, success: created(issuedPath), body: usualBody, effect: "change", hasSecret: true },
  adminGetIssuedApiKey: { access: auditors, success: ok, body: usualBody, effect: "read", hasSecret: false },
  adminListIssuedApiKeys: { access: auditors, success: ok, body: usualBody, effect: "read", hasSecret: false },
  adminUpdateIssuedApiKey: { access: issuers, success: ok, body: usualBody, effect: "change", hasSecret: false },
  adminRotateIssuedApiKey: { access: issuers, success: created(issuedPath), body: usualBody, effect: "change", hasSecret: true },
  adminRevokeApiKey: { access: issuers, success: noContent, body: usualBody, effect: "change", hasSecret: false },
  adminRevokeIssuedApiKey: { access: issuers, success: noContent, body: usualBody, effect: "change", hasSecret: false },
  adminRevokeImportedApiKey: { access: issuers, success: noContent, body: usualBody, effect: "change", hasSecret: false },
  adminDisableApiKey: { access: issuers, success: noContent, body: usualBody, effect: "change", hasSecret: false },
  adminEnableApiKey: { access: issuers, success: noContent, body: usualBody, effect: "change", hasSecret: false },
  adminImportApiKey: { access: issuers, success: created(importedPath), body: usualBody, effect: "change", hasSecret: false },
  adminBatchImportApiKeys: { access: issuers, success: ok, body: batchImportBody, effect: "change", hasSecret: false },
  adminBatchCreateImportedApiKeys: { access: issuers, success: ok, body: batchImportBody, effect: "change", hasSecret: false },
  adminGetImportedApiKey: { access: auditors, success: ok, body: usualBody, effect: "read", hasSecret: false },
  adminListImportedApiKeys: { access: auditors, success: ok, body: usualBody, effect: "read", hasSecret: false },
  adminUpdateImportedApiKey: { access: issuers, success: ok, body: usualBody, effect: "change", hasSecret: false },
  adminDeleteImportedApiKey: { access: admins, success: noContent, body: usualBody, effect: "change", hasSecret: false },
  adminVerifyApiKey: { access: verifiers, success: ok, body: usualBody, effect: "read", hasSecret: false },
  adminBatchVerifyApiKeys: { access: verifiers, success: ok, body: batchVerifyBody, effect: "read", hasSecret: false },
  adminDeriveToken: { access: verifiers, success: ok, body: usualBody, effect: "change", hasSecret: true },
  getJwks: { access: "public", success: ok, body: publicBody, effect: "read", hasSecret: false },
  revokeApiKey: { access: "public", success: ok, body: publicBody, effect: "change", hasSecret: false },
  adminListAuditEvents: { access: auditors, success: ok, body: usualBody, effect: "read", hasSecret: false },
  selfInspect: { access: "public", success: ok, body: publicBody, effect: "read", hasSecret: false },
  batchSelfRevoke: { access: "public", success: ok, body: publicBody, effect: "change", hasSecret: false },
  adminSetActorLimit: { access: admins, success: ok, body: usualBody, effect: "change", hasSecret: false },
  adminRemoveActorLimit: { access: admins, success: noContent, body: usualBody, effect: "change", hasSecret: false },
  adminListActorLimits: { access: auditors, success: ok, body: usualBody, effect: "read", hasSecret: false },
  adminWhoAmI: { access: "caller", success: ok, body: usualBody, effect: "read", hasSecret: false },
  adminCreateTenant: { access: admins, success: created(tenantPath), body: usualBody, effect: "change", hasSecret: false },
  adminGetTenant: { access: auditors, success: ok, body: usualBody, effect: "read", hasSecret: false },
  adminListTenants: { access: auditors, success: ok, body: usualBody, effect: "read", hasSecret: false },
  adminUpdateTenant: { access: admins, success: ok, body: usualBody, effect: "change", hasSecret: false },
  adminSuspendTenant: { access: admins, success: ok, body: usualBody, effect: "change", hasSecret: false },
  adminResumeTenant: { access: admins, success: ok, body: usualBody, effect: "change", hasSecret: false },
  adminDeleteTenant: { access: admins, success: noContent, body: usualBody, effect: "change", hasSecret: false },
} satisfies { readonly [Name in MethodName]: MethodRow<MessageShape<Methods[Name]["output"]>> };

function created<Response>(location: (response: Response) => string): Success<Response> {
  return { status: 201, location };
}

function issuedPath({ issuedApiKey }: { readonly issuedApiKey?: { readonly keyId: string } | undefined }): string {
  return `/v2alpha1/admin/issuedApiKeys/${issuedApiKey?.keyId}`;
}

function importedPath({ keyId }: { readonly keyId: string }): string {
  return `/v2alpha1/admin/importedApiKeys/${keyId}`;
}

function tenantPath({ tenantId }: { readonly tenantId: string }): string {
  return `/v2alpha1/admin/tenants/${tenantId}`;
}
