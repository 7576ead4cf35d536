import type { DescMethod, JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isOfInstallation } from "../../src/rpc/method-table.ts";
import { type MethodName, services } from "../../src/rpc/methods.ts";
import { type Api, startApi } from "../support/api.ts";
import { asObject } from "../support/clients/client.ts";

/** Objects of one tenant that another must not reach. */
interface Belongings {
  readonly issuedId: string;
  readonly secret: string;
  readonly importedId: string;
  readonly macaroon: string;
  readonly jwt: string;
  readonly keysToken: string;
  readonly importsToken: string;
  readonly eventsToken: string;
}

const rate_limit_policy = { quota: "5", window: "3600s" };
const rawKey = crypto.randomUUID();
const reason = "REVOCATION_REASON_PRIVILEGE_WITHDRAWN";
const compromise = "REVOCATION_REASON_KEY_COMPROMISE";
const otherTenant = { headers: { "keywright-tenant": "globex" } };
const ownTenant = { headers: { "keywright-tenant": "acme" } };

let api: Api;
let acme: Belongings;
let pairs = 0;

beforeAll(async () => {
  api = await startApi("grpc");
  for (const tenant_id of ["acme", "globex"]) await api.call("AdminCreateTenant", { tenant_id });
  acme = await belongings();
});
afterAll(() => api?.[Symbol.asyncDispose]());

async function belongings(): Promise<Belongings> {
  const issue = async (request: JsonObject) => api.call("AdminIssueApiKey", request, ownTenant);
  const { issued_api_key, secret } = await issue({ name: "one", actor_id: "actor-of-acme", request_id: "r1" });
  await issue({ name: "two" });
  const imported = await api.call("AdminImportApiKey", { raw_key: rawKey, name: "imported", actor_id: "a" }, ownTenant);
  await api.call("AdminImportApiKey", { raw_key: crypto.randomUUID(), name: "imported", actor_id: "a" }, ownTenant);
  const derive = async (algorithm: string) => {
    const { token } = await api.call("AdminDeriveToken", { credential: String(secret), algorithm }, ownTenant);
    return String(asObject(token).token);
  };
  const pageToken = async (method: string) => String((await api.call(method, { page_size: 1 }, ownTenant)).next_page_token);
  // In the caches of the process and of Redis.
  await api.verify({ credential: String(secret) }, ownTenant);
  return {
    issuedId: String(asObject(issued_api_key).key_id),
    secret: String(secret),
    importedId: String(imported.key_id),
    macaroon: await derive("TOKEN_ALGORITHM_MACAROON"),
    jwt: await derive("TOKEN_ALGORITHM_JWT"),
    keysToken: await pageToken("AdminListIssuedApiKeys"),
    importsToken: await pageToken("AdminListImportedApiKeys"),
    eventsToken: await pageToken("AdminListAuditEvents"),
  };
}

async function isNotFound(method: string, request: JsonObject): Promise<void> {
  expect((await api.refused(method, request, otherTenant)).code, method).toBe("NOT_FOUND");
  pairs += 1;
}

async function isOtherList(method: string, page_token: string): Promise<void> {
  expect((await api.refused(method, { page_token }, otherTenant)).violations, method).toMatchObject([{ field: "page_token" }]);
  pairs += 1;
}

async function isEmptyFor(tenant: typeof ownTenant, method: string, request: JsonObject, field: string): Promise<void> {
  expect((await api.call(method, request, tenant))[field] ?? [], method).toEqual([]);
  pairs += 1;
}

const isEmpty = (method: string, request: JsonObject, field: string) => isEmptyFor(otherTenant, method, request, field);

async function isNotValid(credential: string, headers: Record<string, string>): Promise<void> {
  const options = { headers: { ...otherTenant.headers, ...headers } };
  expect((await api.verify({ credential }, options)).is_valid ?? false).toBe(false);
  pairs += 1;
}

const credentials = () => [acme.secret, acme.macaroon, acme.jwt, rawKey];

async function importsAnew(method: string, field: string): Promise<void> {
  const raw_key = crypto.randomUUID();
  const request = { requests: [{ raw_key, name: "n", actor_id: "a", request_id: crypto.randomUUID() }] };
  await api.call(method, request, ownTenant);
  const again = await api.call(method, request, otherTenant);
  expect(JSON.stringify(again[field] ?? again), method).not.toContain("ALREADY_EXISTS");
  await expect(api.verify({ credential: raw_key }, otherTenant)).resolves.toMatchObject({ is_valid: true });
  pairs += 2;
}

/** What each method does with the objects of another tenant. The test fails for a method without a case. */
const cases = {
  adminIssueApiKey: async () => {
    const { issued_api_key, secret } = await api.call("AdminIssueApiKey", { name: "other", request_id: "r1" }, otherTenant);
    expect(asObject(issued_api_key).key_id).not.toBe(acme.issuedId);
    expect(secret).toBeTruthy();
    pairs += 1;
  },
  adminGetIssuedApiKey: () => isNotFound("AdminGetIssuedApiKey", { key_id: acme.issuedId }),
  adminListIssuedApiKeys: async () => {
    await isOtherList("AdminListIssuedApiKeys", acme.keysToken);
    await isEmpty("AdminListIssuedApiKeys", { filter: 'actor_id="actor-of-acme"' }, "issued_api_keys");
  },
  adminUpdateIssuedApiKey: () => isNotFound("AdminUpdateIssuedApiKey", { issued_api_key: { key_id: acme.issuedId, name: "x" } }),
  adminRotateIssuedApiKey: () => isNotFound("AdminRotateIssuedApiKey", { key_id: acme.issuedId }),
  adminRevokeApiKey: async () => {
    await isNotFound("AdminRevokeApiKey", { key_id: acme.issuedId, reason });
    await isNotFound("AdminRevokeApiKey", { key_id: acme.importedId, reason });
  },
  adminDisableApiKey: () => isNotFound("AdminDisableApiKey", { key_id: acme.issuedId }),
  adminEnableApiKey: () => isNotFound("AdminEnableApiKey", { key_id: acme.issuedId }),
  adminRevokeIssuedApiKey: () => isNotFound("AdminRevokeIssuedApiKey", { key_id: acme.issuedId, reason }),
  adminRevokeImportedApiKey: () => isNotFound("AdminRevokeImportedApiKey", { key_id: acme.importedId, reason }),
  adminImportApiKey: async () => {
    const raw_key = crypto.randomUUID();
    const mine = await api.call("AdminImportApiKey", { raw_key, name: "n", actor_id: "a" }, ownTenant);
    const others = await api.call("AdminImportApiKey", { raw_key, name: "n", actor_id: "a" }, otherTenant);
    expect(others.key_id).not.toBe(mine.key_id);
    await api.call("AdminRevokeApiKey", { key_id: String(mine.key_id), reason }, ownTenant);
    await expect(api.verify({ credential: raw_key }, otherTenant)).resolves.toMatchObject({ is_valid: true });
    pairs += 2;
  },
  adminBatchImportApiKeys: () => importsAnew("AdminBatchImportApiKeys", "results"),
  adminBatchCreateImportedApiKeys: () => importsAnew("AdminBatchCreateImportedApiKeys", "results"),
  adminGetImportedApiKey: () => isNotFound("AdminGetImportedApiKey", { key_id: acme.importedId }),
  adminListImportedApiKeys: () => isOtherList("AdminListImportedApiKeys", acme.importsToken),
  adminUpdateImportedApiKey: () => isNotFound("AdminUpdateImportedApiKey", { imported_api_key: { key_id: acme.importedId, name: "x" } }),
  adminDeleteImportedApiKey: () => isNotFound("AdminDeleteImportedApiKey", { key_id: acme.importedId }),
  adminVerifyApiKey: async () => {
    for (const headers of [{}, { "cache-control": "no-cache" }, { "cache-control": "no-store" }]) {
      for (const credential of credentials()) await isNotValid(credential, headers as Record<string, string>);
    }
  },
  adminBatchVerifyApiKeys: async () => {
    const request = { requests: credentials().map((credential) => ({ credential })) };
    const { results } = await api.call("AdminBatchVerifyApiKeys", request, otherTenant);
    expect((results as JsonObject[]).map(({ is_valid }) => is_valid ?? false)).toEqual([false, false, false, false]);
    pairs += 4;
  },
  adminDeriveToken: async () => {
    for (const credential of credentials()) await isNotFound("AdminDeriveToken", { credential, algorithm: "TOKEN_ALGORITHM_JWT" });
  },
  getJwks: async () => {
    // The whole installation has one set of signing keys.
    expect(await api.call("GetJwks", {}, otherTenant)).toEqual(await api.call("GetJwks", {}, ownTenant));
    pairs += 1;
  },
  revokeApiKey: async () => {
    // Without its own prefix and host, a credential of acme is treated as one of `default`.
    expect((await api.refused("RevokeApiKey", { credential: acme.secret, reason: compromise }, { token: null })).code).toBe("NOT_FOUND");
    pairs += 1;
  },
  batchSelfRevoke: async () => {
    const request = { credentials: credentials(), reason: compromise };
    const { results } = await api.call("BatchSelfRevoke", request, { token: null });
    expect((results as JsonObject[]).map(({ revoked }) => revoked ?? false)).toEqual([false, false, false, false]);
    pairs += 4;
  },
  selfInspect: async () => {
    for (const credential of credentials()) {
      expect((await api.refused("SelfInspect", { credential }, { token: null })).code).toBe("NOT_FOUND");
      pairs += 1;
    }
  },
  adminSetActorLimit: async () => {
    await api.call("AdminSetActorLimit", { actor_id: "set", rate_limit_policy }, otherTenant);
    await isEmptyFor(ownTenant, "AdminListActorLimits", { actor_id: "set" }, "actor_limits");
  },
  adminRemoveActorLimit: async () => {
    await api.call("AdminSetActorLimit", { actor_id: "kept", rate_limit_policy }, ownTenant);
    await api.call("AdminRemoveActorLimit", { actor_id: "kept" }, otherTenant).catch(() => {});
    expect(await api.call("AdminListActorLimits", { actor_id: "kept" }, ownTenant)).toMatchObject({ actor_limits: [{ actor_id: "kept" }] });
    pairs += 1;
  },
  adminListActorLimits: async () => {
    await api.call("AdminSetActorLimit", { actor_id: "listed", rate_limit_policy }, ownTenant);
    await isEmptyFor(otherTenant, "AdminListActorLimits", { actor_id: "listed" }, "actor_limits");
    const { next_page_token } = await api.call("AdminListActorLimits", { page_size: 1 }, ownTenant);
    await isOtherList("AdminListActorLimits", String(next_page_token));
  },
  adminWhoAmI: async () => {
    // It is about the caller, in whatever tenant.
    expect(await api.call("AdminWhoAmI", {}, otherTenant)).toEqual(await api.call("AdminWhoAmI", {}, ownTenant));
    pairs += 1;
  },
  adminListAuditEvents: async () => {
    await isOtherList("AdminListAuditEvents", acme.eventsToken);
    await isEmpty("AdminListAuditEvents", { filter: `key_id=${acme.issuedId}` }, "audit_events");
  },
} satisfies Partial<Record<MethodName, () => Promise<unknown>>>;

test("no method reaches objects of another tenant", async () => {
  const methods = services.flatMap(({ methods }) => methods as readonly DescMethod[]).filter((method) => !isOfInstallation(method));
  expect(Object.keys(cases).toSorted()).toEqual(methods.map(({ localName }) => localName).toSorted());
  for (const run of Object.values(cases)) await run();
  // All of it still works in its own tenant.
  for (const credential of credentials()) {
    await expect(api.verify({ credential }, ownTenant)).resolves.toMatchObject({ is_valid: true });
  }
  expect(pairs).toBe(59);
});

test("a suspension refuses keys like a revocation, refuses changes, and can end", async () => {
  await api.call("AdminSuspendTenant", { tenant_id: "acme" });
  for (const credential of credentials()) {
    const verdict = await api.verify({ credential }, ownTenant);
    expect([verdict.is_valid ?? false, verdict.error_code]).toEqual([false, "VERIFICATION_ERROR_REVOKED"]);
  }
  expect((await api.refused("AdminIssueApiKey", {}, ownTenant)).reason).toBe("TENANT_SUSPENDED");
  await expect(api.call("AdminGetIssuedApiKey", { key_id: acme.issuedId }, ownTenant)).resolves.toMatchObject({ name: "one" });
  expect((await api.refused("AdminDeleteTenant", { tenant_id: "acme" })).reason).toBe("TENANT_NOT_READY");
  await api.call("AdminResumeTenant", { tenant_id: "acme" });
  await expect(api.verify({ credential: acme.secret }, ownTenant)).resolves.toMatchObject({ is_valid: true });
});

test("limits of a tenant apply only to that tenant, from the moment they are set", async () => {
  const tenant = { tenant_id: "globex", max_ttl: "3600s", max_keys: "1", key_prefix: "glob", issuer: "https://globex.example" };
  await api.call("AdminCreateTenant", { tenant_id: "limited", tenant: { ...tenant, tenant_id: "limited" } });
  const limited = { headers: { "keywright-tenant": "limited" } };
  const tooLong = await api.refused("AdminIssueApiKey", { ttl: "7200s" }, limited);
  expect(tooLong.violations).toMatchObject([{ field: "ttl" }]);
  const { secret } = await api.call("AdminIssueApiKey", {}, limited);
  expect(secret).toMatch(/^glob_v1_/);
  expect((await api.refused("AdminIssueApiKey", {}, limited)).reason).toBe("KEY_QUOTA_EXHAUSTED");
  const { token } = await api.call("AdminDeriveToken", { credential: String(secret), algorithm: "TOKEN_ALGORITHM_JWT" }, limited);
  expect(asObject(asObject(token).claims)).toMatchObject({ iss: "https://globex.example", tenant: "limited" });
  await api.call("AdminUpdateTenant", { tenant: { tenant_id: "limited", key_prefix: "newer" } });
  await expect(api.verify({ credential: String(secret) }, limited)).resolves.toMatchObject({ is_valid: true });
  await api.call("RevokeApiKey", { credential: String(secret), reason: compromise }, { token: null });
  await expect(api.verify({ credential: String(secret) }, limited)).resolves.not.toMatchObject({ is_valid: true });
  expect((await api.refused("AdminCreateTenant", { tenant_id: "third", tenant: { key_prefix: "glob" } })).code).toBe("ALREADY_EXISTS");
});
