import type { DescMethod, JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { roles as builtInRoles } from "../../src/core/role.ts";
import { type MethodName, type MethodRow, methodRows, services } from "../../src/rpc/methods.ts";
import { asObject, type Client } from "../support/clients/client.ts";
import { grpcJs } from "../support/clients/grpc-js.ts";
import { clientKinds, succeed } from "../support/clients.ts";
import { createRoleTokens } from "../support/role-tokens.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";

/** What every method must do: it is served over every protocol, to the callers in its row, and its changes are in the audit trail. */
const roles = createRoleTokens();
const reason = "REVOCATION_REASON_PRIVILEGE_WITHDRAWN";
let server: ServerProcess;

beforeAll(async () => {
  server = await startServer({ config: roles.config, env: { KEYWRIGHT_ADMIN_TOKEN: roles.admin } });
});
afterAll(() => server?.[Symbol.asyncDispose]());

interface Keys {
  readonly issuedId: string;
  readonly secret: string;
  readonly importedId: string;
  readonly disabledId: string;
  /** Tenants are created for the methods that change one. */
  readonly tenantId: string;
  readonly suspendedId: string;
  readonly actorId: string;
}

function newTenantId(): string {
  return `t-${crypto.randomUUID()}`;
}

async function freshTenants(client: Client, method: string): Promise<Pick<Keys, "tenantId" | "suspendedId">> {
  const [tenantId, suspendedId] = [newTenantId(), newTenantId()];
  if (/(Update|Suspend)Tenant$/.test(method)) await succeed(client, "AdminCreateTenant", { tenant_id: tenantId });
  if (/(Resume|Delete)Tenant$/.test(method)) {
    await succeed(client, "AdminCreateTenant", { tenant_id: suspendedId });
    await succeed(client, "AdminSuspendTenant", { tenant_id: suspendedId });
  }
  return { tenantId, suspendedId };
}

function anImport(): JsonObject {
  return { raw_key: crypto.randomUUID(), name: "imported", actor_id: "actor" };
}

const aPolicy = { quota: "1000", window: "60s" };

/** An actor with a limit, so that the next one changes only the limit. */
async function freshActor(client: Client, method: string): Promise<string> {
  const actorId = crypto.randomUUID();
  if (/(Set|Remove)ActorLimit$/.test(method)) {
    await succeed(client, "AdminSetActorLimit", { actor_id: actorId, rate_limit_policy: aPolicy });
  }
  return actorId;
}

async function freshKeys(client: Client, method: string): Promise<Keys> {
  const { issued_api_key, secret } = await succeed(client, "AdminIssueApiKey", {});
  const { key_id } = await succeed(client, "AdminImportApiKey", anImport());
  const disabled = await succeed(client, "AdminImportApiKey", anImport());
  await succeed(client, "AdminDisableApiKey", { key_id: String(disabled.key_id) });
  return {
    issuedId: String(asObject(issued_api_key).key_id),
    secret: String(secret),
    importedId: String(key_id),
    disabledId: String(disabled.key_id),
    ...(await freshTenants(client, method)),
    actorId: await freshActor(client, method),
  };
}

/** A successful request of each method. */
const requests = {
  adminIssueApiKey: () => ({}),
  adminGetIssuedApiKey: ({ issuedId }) => ({ key_id: issuedId }),
  adminListIssuedApiKeys: () => ({}),
  adminUpdateIssuedApiKey: ({ issuedId }) => ({ issued_api_key: { key_id: issuedId, name: "new" }, update_mask: "name" }),
  adminRotateIssuedApiKey: ({ issuedId }) => ({ key_id: issuedId }),
  adminRevokeApiKey: ({ issuedId }) => ({ key_id: issuedId, reason }),
  adminRevokeIssuedApiKey: ({ issuedId }) => ({ key_id: issuedId, reason }),
  adminRevokeImportedApiKey: ({ importedId }) => ({ key_id: importedId, reason }),
  adminDisableApiKey: ({ issuedId }) => ({ key_id: issuedId }),
  adminEnableApiKey: ({ disabledId }) => ({ key_id: disabledId }),
  adminImportApiKey: anImport,
  adminBatchImportApiKeys: () => ({ requests: [anImport()] }),
  adminBatchCreateImportedApiKeys: () => ({ requests: [anImport()] }),
  adminGetImportedApiKey: ({ importedId }) => ({ key_id: importedId }),
  adminListImportedApiKeys: () => ({}),
  adminUpdateImportedApiKey: ({ importedId }) => ({ imported_api_key: { key_id: importedId, name: "new" }, update_mask: "name" }),
  adminDeleteImportedApiKey: ({ importedId }) => ({ key_id: importedId }),
  adminVerifyApiKey: ({ secret }) => ({ credential: secret }),
  adminBatchVerifyApiKeys: ({ secret }) => ({ requests: [{ credential: secret }] }),
  adminDeriveToken: ({ secret }) => ({ credential: secret, algorithm: "TOKEN_ALGORITHM_MACAROON" }),
  getJwks: () => ({}),
  revokeApiKey: ({ secret }) => ({ credential: secret, reason: "REVOCATION_REASON_KEY_COMPROMISE" }),
  adminListAuditEvents: () => ({}),
  adminSetActorLimit: ({ actorId }) => ({ actor_id: actorId, rate_limit_policy: aPolicy }),
  adminRemoveActorLimit: ({ actorId }) => ({ actor_id: actorId }),
  adminListActorLimits: () => ({}),
  selfInspect: ({ secret }) => ({ credential: secret }),
  batchSelfRevoke: ({ secret }) => ({ credentials: [secret], reason: "REVOCATION_REASON_KEY_COMPROMISE" }),
  adminWhoAmI: () => ({}),
  adminCreateTenant: () => ({ tenant_id: newTenantId(), tenant: { display_name: "new" } }),
  adminGetTenant: () => ({ tenant_id: "default" }),
  adminListTenants: () => ({}),
  adminUpdateTenant: ({ tenantId }) => ({ tenant: { tenant_id: tenantId, display_name: "other" }, update_mask: "displayName" }),
  adminSuspendTenant: ({ tenantId }) => ({ tenant_id: tenantId }),
  adminResumeTenant: ({ suspendedId }) => ({ tenant_id: suspendedId }),
  adminDeleteTenant: ({ suspendedId }) => ({ tenant_id: suspendedId, force: true }),
} satisfies Record<MethodName, (keys: Keys) => JsonObject>;

const methods = services
  .flatMap(({ methods }) => methods as readonly DescMethod[])
  .map(({ name, localName }) => {
    const row: MethodRow<never> = methodRows[localName as MethodName];
    const requestOf: (keys: Keys) => JsonObject = requests[localName as MethodName];
    return { name, row, requestOf };
  });

describe.each(clientKinds)("over $name", ({ open }) => {
  test("every method succeeds, and no cache may store a response with a secret", async () => {
    await using client = open(server.url, server.adminToken);
    for (const { name, row, requestOf } of methods) {
      const reply = await client.call(name, requestOf(await freshKeys(client, name)));
      expect(reply, name).toMatchObject({ ok: true });
      if (row.hasSecret) expect(reply.headers.get("cache-control"), name).toBe("no-store");
    }
  });
});

test.each(methods)("$name is in the audit trail if and only if it is a change", async ({ name, row, requestOf }) => {
  await using client = grpcJs.open(server.url, server.adminToken);
  const keys = await freshKeys(client, name);
  const requestId = crypto.randomUUID();
  await succeed(client, name, requestOf(keys), { headers: { "x-request-id": requestId } });
  const { audit_events = [] } = await succeed(client, "AdminListAuditEvents", { filter: `method=${name}`, page_size: 1000 });
  const events = (audit_events as JsonObject[]).filter((event) => event.request_id === requestId);
  expect(events).toHaveLength(row.effect === "change" ? 1 : 0);
});

const importerMethods = ["AdminImportApiKey", "AdminGetImportedApiKey"];

test.each([...builtInRoles, "importer", null] as const)(
  "the caller with the role %s may call exactly the methods that the rows allow",
  async (role) => {
    await using client = grpcJs.open(server.url, server.adminToken);
    for (const { name, row } of methods) {
      const reply = await client.call(name, {}, { token: role === null ? null : roles[role] });
      const isRefused = !reply.ok && (reply.code === "UNAUTHENTICATED" || reply.code === "PERMISSION_DENIED");
      expect(isRefused, name).toBe(row.access !== "public" && !mayCall(role, name, row));
    }
  },
);

/** The role `importer` comes from the configuration, so no row names it. */
function mayCall(role: Exclude<keyof typeof roles, "config"> | null, name: string, { access }: MethodRow<never>): boolean {
  if (access === "caller") return role !== null;
  if (role === "importer") return importerMethods.includes(name);
  return role !== null && access.includes(role);
}
