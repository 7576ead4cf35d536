import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openStore } from "../../src/adapters/open.ts";
import type { Parts } from "../../src/composition/given.ts";
import type { KeyStore } from "../../src/ports/key-store.ts";
import { type Api, startApi } from "../support/api.ts";
import { asObject } from "../support/clients/client.ts";
import { restHttp2 } from "../support/clients/rest.ts";
import { succeed } from "../support/clients.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { auditEvent } from "../support/with-events.ts";

/** Hooks of a test between steps of the store; all call the real store. */
const between = {
  insert: async (_tenant: string) => {},
  replace: async (_tenant: string) => {},
  look: async (_tenant: string) => {},
  remove: async (_tenant: string) => {},
  removed: async (_tenant: string) => {},
};
const untouched = { ...between };
let aheadMs = 0;
let opened: KeyStore | undefined;
const isOnMongo = process.env.KEYWRIGHT_TEST_PROJECT === "servers-mongodb" && process.env.KEYWRIGHT_TEST_BACKEND !== undefined;
const parts: Partial<Parts> = {
  clock: () => Date.now() + aheadMs,
  async openStore(...given) {
    const { store, shareable } = await openStore(...given);
    opened = store;
    return {
      shareable,
      store: {
        ...store,
        async insert(tenant, ...rest) {
          await between.insert(tenant);
          return store.insert(tenant, ...rest);
        },
        async insertMany(tenant, ...rest) {
          await between.insert(tenant);
          return store.insertMany(tenant, ...rest);
        },
        async replace(tenant, ...rest) {
          await between.replace(tenant);
          return store.replace(tenant, ...rest);
        },
        async delete(tenant, ...rest) {
          await between.remove(tenant);
          const revision = await store.delete(tenant, ...rest);
          await between.removed(tenant);
          return revision;
        },
        async list(tenant, query) {
          const part = await store.list(tenant, query);
          if (query.kind === "imported") await between.look(tenant);
          return part;
        },
      },
    };
  },
};

let api: Api;
beforeAll(async () => {
  api = await startApi("grpc", { env: { KEYWRIGHT_DEFAULT_TTL: "30d" } }, parts);
});
afterAll(() => api?.[Symbol.asyncDispose]());

const reason = "REVOCATION_REASON_SUPERSEDED";
let count = 0;
const headersOf = (tenant: string) => ({ headers: { "keywright-tenant": tenant } });
async function newTenant(tenant: JsonObject = {}): Promise<string> {
  count += 1;
  const tenant_id = `t-${count}`;
  await api.call("AdminCreateTenant", { tenant_id, tenant });
  return tenant_id;
}
async function outcomeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "done",
    (error: Error) => /answered (\S+ \S+):/.exec(error.message)?.[1] ?? error.message,
  );
}

test("a tenant is created, read, listed, updated, suspended, resumed and deleted; default exists from the start", async () => {
  const first = await api.call("AdminListTenants", { page_size: 1000 });
  expect(await api.call("AdminGetTenant", { tenant_id: "default" })).toEqual({ tenant_id: "default" });
  const given = { display_name: "Acme", hosts: ["KEYS.acme.example"], issuer: "https://acme.example", max_keys: "5" };
  const id = await newTenant(given);
  const shown = { ...given, tenant_id: id, hosts: ["keys.acme.example"] };
  expect(await api.call("AdminGetTenant", { tenant_id: id })).toMatchObject(shown);
  expect(await api.call("AdminListTenants", { page_size: 1000 })).toMatchObject({ tenants: [...((first.tenants as []) ?? []), shown] });
  const tenant = { tenant_id: id, display_name: "Acme Ltd" };
  expect(await api.call("AdminUpdateTenant", { tenant, update_mask: "displayName" })).toMatchObject({ ...shown, ...tenant });
  expect(await outcomeOf(api.call("AdminDeleteTenant", { tenant_id: id }))).toBe("FAILED_PRECONDITION TENANT_NOT_READY");
  expect(await api.call("AdminSuspendTenant", { tenant_id: id })).toMatchObject({ suspended: true });
  expect(await api.call("AdminResumeTenant", { tenant_id: id })).not.toHaveProperty("suspended");
  await api.call("AdminSuspendTenant", { tenant_id: id });
  await api.call("AdminDeleteTenant", { tenant_id: id });
  expect(await outcomeOf(api.call("AdminGetTenant", { tenant_id: id }))).toBe("NOT_FOUND TENANT_NOT_FOUND");
  for (const method of ["AdminSuspendTenant", "AdminDeleteTenant"]) {
    expect(await outcomeOf(api.call(method, { tenant_id: "default" })), method).toBe("FAILED_PRECONDITION TENANT_NOT_READY");
  }
  const { audit_events } = await api.call("AdminListAuditEvents", { filter: `key_id=t${id.replaceAll("-", "Z")}` });
  expect((audit_events as JsonObject[]).map(({ method, changed_fields }) => [method, changed_fields ?? []])).toEqual([
    ["AdminDeleteTenant", []],
    ["AdminSuspendTenant", ["suspended"]],
    ["AdminResumeTenant", ["suspended"]],
    ["AdminSuspendTenant", ["suspended"]],
    ["AdminUpdateTenant", ["display_name"]],
    ["AdminCreateTenant", []],
  ]);
});

test("invalid tenants are refused, and the error names the field", async () => {
  for (const [tenant, field] of [
    [{ hosts: ["fine.example", "a host"] }, "tenant.hosts[1]"],
    [{ hosts: ["acme.example:443"] }, "tenant.hosts[0]"],
    [{ key_prefix: "Not_Lower" }, "tenant.key_prefix"],
    [{ key_prefix: "kw" }, "tenant.key_prefix"],
    [{ key_prefix: "kw_pub" }, "tenant.key_prefix"],
    [{ issuer: "acme" }, "tenant.issuer"],
    [{ default_ttl: "7200s", max_ttl: "3600s" }, "tenant.default_ttl"],
    [{ tenant_id: "other" }, "tenant.tenant_id"],
  ] as const) {
    const request = { tenant_id: "refused", tenant: tenant as unknown as JsonObject };
    expect((await api.refused("AdminCreateTenant", request)).violations, JSON.stringify(tenant)).toMatchObject([{ field }]);
  }
  for (const tenant_id of ["", "Acme", "a_b", "a/b", "a".repeat(64)]) {
    expect((await api.refused("AdminCreateTenant", { tenant_id })).violations, tenant_id).toMatchObject([{ field: "tenant_id" }]);
  }
});

test("a key prefix can be replaced 20 times, and keys of all prefixes verify; a prefix that is used again does not count", async () => {
  const id = await newTenant({ key_prefix: "p0" });
  const replace = (key_prefix: string) =>
    api.call("AdminUpdateTenant", { tenant: { tenant_id: id, key_prefix }, update_mask: "keyPrefix" });
  const secrets = [String((await api.call("AdminIssueApiKey", {}, headersOf(id))).secret)];
  for (let index = 1; index <= 20; index += 1) await replace(`p${index}`);
  secrets.push(String((await api.call("AdminIssueApiKey", {}, headersOf(id))).secret));
  const refusal = await api.refused("AdminUpdateTenant", { tenant: { tenant_id: id, key_prefix: "p21" }, update_mask: "keyPrefix" });
  expect(refusal.violations).toMatchObject([{ field: "tenant.key_prefix" }]);
  await replace("p0");
  for (const credential of secrets) expect(await api.verify({ credential }, headersOf(id))).toMatchObject({ is_valid: true });
});

test("the default and the maximum ttl are the tenant's, or those of the installation", async () => {
  const hour = 3_600_000;
  const lifeOf = async (tenant: string, request: JsonObject) => {
    const { issued_api_key } = await api.call("AdminIssueApiKey", request, headersOf(tenant));
    const { create_time, expire_time } = asObject(issued_api_key);
    return (Date.parse(String(expire_time)) - Date.parse(String(create_time))) / hour;
  };
  const bounded = await newTenant({ max_ttl: "7200s" });
  const usual = await newTenant({ default_ttl: "3600s", max_ttl: "7200s" });
  const long = await newTenant({ default_ttl: "7776000s" });
  expect(await lifeOf("default", {})).toBe(30 * 24);
  expect(await lifeOf(bounded, {})).toBe(2);
  expect(await lifeOf(usual, {})).toBe(1);
  expect(await lifeOf(usual, { ttl: "7200s" })).toBe(2);
  expect(await lifeOf(long, {})).toBe(90 * 24);
  const item = { raw_key: crypto.randomUUID(), name: "a", actor_id: "b" };
  const { issued_api_key } = await api.call("AdminIssueApiKey", {}, headersOf(usual));
  for (const [method, request] of [
    ["AdminIssueApiKey", {}],
    ["AdminImportApiKey", item],
    ["AdminRotateIssuedApiKey", { key_id: String(asObject(issued_api_key).key_id) }],
  ] as const) {
    const refusal = await api.refused(method, { ...request, ttl: "7201s" }, headersOf(usual));
    expect(refusal.violations, method).toMatchObject([{ field: "ttl" }]);
  }
  const { results } = await api.call("AdminBatchImportApiKeys", { requests: [{ ...item, ttl: "7201s" }, item] }, headersOf(usual));
  expect(results).toMatchObject([{ error_code: "BATCH_IMPORT_ERROR_INVALID_ARGUMENT" }, { imported_api_key: {} }]);
});

test("a key that is rotated after its tenant got a longest life has a successor within it", async () => {
  const tenant_id = await newTenant();
  const { issued_api_key } = await api.call("AdminIssueApiKey", { ttl: "31536000s" }, headersOf(tenant_id));
  await api.call("AdminUpdateTenant", { tenant: { tenant_id, max_ttl: "3600s" } });
  const rotated = await api.call("AdminRotateIssuedApiKey", { key_id: String(asObject(issued_api_key).key_id) }, headersOf(tenant_id));
  const { create_time, expire_time } = asObject(rotated.issued_api_key);
  expect(Date.parse(String(expire_time)) - Date.parse(String(create_time))).toBe(3_600_000);
});

test("max keys counts only the tenant's keys, issued and imported, until some are revoked", async () => {
  const [full, other] = [await newTenant({ max_keys: "2" }), await newTenant()];
  const { issued_api_key } = await api.call("AdminIssueApiKey", {}, headersOf(full));
  await api.call("AdminImportApiKey", { raw_key: crypto.randomUUID(), name: "a", actor_id: "b" }, headersOf(full));
  const refusal = await api.refused("AdminIssueApiKey", {}, headersOf(full));
  expect(refusal.reason).toBe("KEY_QUOTA_EXHAUSTED");
  expect(refusal.details).toContainEqual(expect.objectContaining({ violations: [expect.objectContaining({ subject: `tenant:${full}` })] }));
  for (const tenant of [other, "default"]) await api.call("AdminIssueApiKey", {}, headersOf(tenant));
  await api.call("AdminRevokeApiKey", { key_id: String(asObject(issued_api_key).key_id), reason }, headersOf(full));
  await api.call("AdminIssueApiKey", {}, headersOf(full));
  await api.call("AdminUpdateTenant", { tenant: { tenant_id: full, max_keys: "3" }, update_mask: "maxKeys" });
  await api.call("AdminIssueApiKey", {}, headersOf(full));
  expect(await outcomeOf(api.call("AdminIssueApiKey", {}, headersOf(full)))).toBe("RESOURCE_EXHAUSTED KEY_QUOTA_EXHAUSTED");
});

test("guesses are limited per tenant if it is configured, and counted separately from those of others", async () => {
  const limit = { quota: "2", window: "3600s" };
  const [limited, alike, free] = [
    await newTenant({ failed_verify_limit: limit }),
    await newTenant({ failed_verify_limit: limit }),
    await newTenant(),
  ];
  const guess = async (tenant: string) =>
    (await api.verify({ credential: "a guess", client_ip: "192.0.2.9" }, headersOf(tenant))).error_code;
  const codes = async (tenant: string) => [await guess(tenant), await guess(tenant), await guess(tenant)];
  const [unknown, refused] = ["VERIFICATION_ERROR_NOT_FOUND", "VERIFICATION_ERROR_RATE_LIMITED"];
  expect(await codes(limited)).toEqual([unknown, unknown, refused]);
  for (const tenant of [free, "default"]) expect(await codes(tenant), tenant).toEqual([unknown, unknown, unknown]);
  expect(await codes(alike)).toEqual([unknown, unknown, refused]);
});

test("the same imported key in two tenants is two independent keys", async () => {
  const raw_key = crypto.randomUUID();
  const [one, two] = [await newTenant(), await newTenant()];
  const importTo = (tenant: string, scopes: string[]) =>
    api.call("AdminImportApiKey", { raw_key, name: tenant, actor_id: tenant, scopes }, headersOf(tenant));
  const [ofOne, ofTwo] = [await importTo(one, ["one"]), await importTo(two, ["two"])];
  expect(ofOne.key_id).not.toBe(ofTwo.key_id);
  const verify = (tenant: string) => api.verify({ credential: raw_key }, headersOf(tenant));
  expect(await verify(one)).toMatchObject({ is_valid: true, key_id: ofOne.key_id, actor_id: one, scopes: ["one"] });
  expect(await verify(two)).toMatchObject({ is_valid: true, key_id: ofTwo.key_id, actor_id: two, scopes: ["two"] });
  expect(await verify("default")).toMatchObject({ error_code: "VERIFICATION_ERROR_NOT_FOUND" });
  await api.call("AdminRevokeApiKey", { key_id: String(ofOne.key_id), reason }, headersOf(one));
  expect(await verify(one)).toMatchObject({ error_code: "VERIFICATION_ERROR_REVOKED" });
  expect(await verify(two)).toMatchObject({ is_valid: true });
  await api.call("AdminDeleteImportedApiKey", { key_id: String(ofTwo.key_id) }, headersOf(two));
  expect(await verify(one)).toMatchObject({ error_code: "VERIFICATION_ERROR_REVOKED" });
  expect(await verify(two)).toMatchObject({ error_code: "VERIFICATION_ERROR_NOT_FOUND" });
});

test("the limits of keys in two tenants are spent apart, even for one raw key and one actor", async () => {
  const raw_key = crypto.randomUUID();
  const request = { raw_key, name: "limited", actor_id: "someone", rate_limit_policy: { quota: "1", window: "3600s" } };
  const [one, two] = [await newTenant(), await newTenant()];
  for (const tenant of [one, two]) await api.call("AdminImportApiKey", request, headersOf(tenant));
  const code = async (tenant: string) => (await api.verify({ credential: raw_key }, headersOf(tenant))).error_code ?? "valid";
  expect([await code(one), await code(one)]).toEqual(["valid", "VERIFICATION_ERROR_RATE_LIMITED"]);
  expect([await code(two), await code(two)]).toEqual(["valid", "VERIFICATION_ERROR_RATE_LIMITED"]);
});

test("of tenants that are created or changed concurrently, only one gets a host or a prefix", async () => {
  const claims: JsonObject[] = [{ hosts: [`${crypto.randomUUID()}.example`] }, { key_prefix: "wanted" }];
  for (const claim of claims) {
    const created = await Promise.all(Array.from({ length: 8 }, () => outcomeOf(newTenant(claim))));
    expect(created.toSorted()).toEqual([...new Array(7).fill("ALREADY_EXISTS TENANT_ALREADY_EXISTS"), "done"]);
  }
  const tenants = await Promise.all(Array.from({ length: 8 }, () => newTenant()));
  const hosts = [`${crypto.randomUUID()}.example`];
  const update = (tenant_id: string) => api.call("AdminUpdateTenant", { tenant: { tenant_id, hosts }, update_mask: "hosts" });
  const updated = await Promise.all(tenants.map((tenant_id) => outcomeOf(update(tenant_id))));
  expect(updated.toSorted()).toEqual([...new Array(7).fill("ALREADY_EXISTS TENANT_ALREADY_EXISTS"), "done"]);
  const refusal = await api.refused("AdminCreateTenant", { tenant_id: "late", tenant: { hosts } });
  expect(refusal.message).toContain(hosts[0]);
  const winner = tenants[updated.indexOf("done")] as string;
  await api.call("AdminUpdateTenant", { tenant: { tenant_id: winner, hosts: [] }, update_mask: "hosts" });
  await newTenant({ hosts });
});

test("a call to the host of a tenant is for that tenant; forwarded hosts of untrusted peers are ignored", async () => {
  const host = `${crypto.randomUUID()}.example`;
  await newTenant({ hosts: [host], key_prefix: "hosted" });
  await using client = restHttp2.open(api.server.url, api.server.adminToken);
  const prefixFor = async (headers: Record<string, string>) =>
    String((await succeed(client, "AdminIssueApiKey", {}, { headers })).secret).split("_v1_")[0];
  expect(await prefixFor({ ":authority": `${host.toUpperCase()}:4430` })).toBe("hosted");
  expect(await prefixFor({ "x-forwarded-host": host })).toBe("kw");
});

const toImport = { raw_key: "raw", name: "a", actor_id: "b" };
const newKeys = {
  AdminIssueApiKey: { request_id: "retry" },
  AdminImportApiKey: { ...toImport, request_id: "retry" },
  AdminBatchImportApiKeys: { requests: [toImport], request_id: "batch" },
};

test.each(Object.entries(newKeys))(
  "%s: a key that is added while its empty tenant is deleted is not acknowledged, and is removed",
  async (method, request) => {
    const id = await newTenant();
    const [arrived, looked, added] = [Promise.withResolvers<void>(), Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    between.insert = async (tenant) => {
      if (tenant !== id) return;
      arrived.resolve();
      await looked.promise;
    };
    between.look = async () => {
      looked.resolve();
      await added.promise;
    };
    const adding = outcomeOf(api.call(method, request, headersOf(id)));
    await arrived.promise;
    await api.call("AdminSuspendTenant", { tenant_id: id });
    const deleting = outcomeOf(api.call("AdminDeleteTenant", { tenant_id: id }));
    expect(await adding).toBe("FAILED_PRECONDITION TENANT_SUSPENDED");
    added.resolve();
    expect(await deleting).toBe("done");
    Object.assign(between, untouched);
    await api.call("AdminCreateTenant", { tenant_id: id });
    for (const list of ["AdminListIssuedApiKeys", "AdminListImportedApiKeys"]) expect(await api.call(list, {}, headersOf(id))).toEqual({});
  },
);

test("a tenant that is resumed while it is being deleted keeps its key", async () => {
  const id = await newTenant();
  await api.call("AdminSuspendTenant", { tenant_id: id });
  let secret = "";
  between.look = async () => {
    Object.assign(between, untouched);
    await api.call("AdminResumeTenant", { tenant_id: id });
    secret = String((await api.call("AdminIssueApiKey", {}, headersOf(id))).secret);
  };
  expect(await outcomeOf(api.call("AdminDeleteTenant", { tenant_id: id }))).toBe("FAILED_PRECONDITION TENANT_NOT_READY");
  expect(await api.verify({ credential: secret }, headersOf(id))).toMatchObject({ is_valid: true });
});

test.each(Object.entries(newKeys))(
  "%s: a key of a tenant that is deleted and created again is not acknowledged, and is removed",
  async (method, request) => {
    const id = await newTenant();
    const [arrived, replaced] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    between.insert = async (tenant) => {
      if (tenant !== id) return;
      arrived.resolve();
      await replaced.promise;
    };
    const adding = outcomeOf(api.call(method, request, headersOf(id)));
    await arrived.promise;
    await api.call("AdminSuspendTenant", { tenant_id: id });
    await api.call("AdminDeleteTenant", { tenant_id: id });
    await api.call("AdminCreateTenant", { tenant_id: id });
    replaced.resolve();
    expect(await adding).toBe("FAILED_PRECONDITION TENANT_SUSPENDED");
    Object.assign(between, untouched);
    for (const list of ["AdminListIssuedApiKeys", "AdminListImportedApiKeys"]) expect(await api.call(list, {}, headersOf(id))).toEqual({});
    // A retry is not a repetition: what was taken back was not imported.
    const { issued_api_key, imported_api_key, results = [{}], ...key } = await api.call(method, request, headersOf(id));
    const [result] = results as JsonObject[];
    expect(asObject(issued_api_key ?? imported_api_key ?? result?.imported_api_key ?? key).key_id).toBeDefined();
  },
);

/** Deletes a new tenant while a call adds a key to it, in a process that crashes before it removes the key. Returns the id. */
async function deletedTenantWithKey(method: string, request: JsonObject): Promise<string> {
  const id = await newTenant();
  const [arrived, deleted] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  between.insert = async (tenant) => {
    if (tenant !== id) return;
    arrived.resolve();
    await deleted.promise;
  };
  between.remove = async (tenant) => {
    if (tenant === id) throw new Error("the process crashes here");
  };
  const adding = outcomeOf(api.call(method, request, headersOf(id)));
  await arrived.promise;
  await api.call("AdminSuspendTenant", { tenant_id: id });
  await api.call("AdminDeleteTenant", { tenant_id: id });
  deleted.resolve();
  expect(await adding).toBe("INTERNAL INTERNAL");
  Object.assign(between, untouched);
  return id;
}

test.each(Object.entries(newKeys))(
  "%s: a key that a crashed process left to a deleted tenant is removed later",
  async (method, request) => {
    const id = await deletedTenantWithKey(method, request);
    // The call might still remove it.
    const create = () => outcomeOf(api.call("AdminCreateTenant", { tenant_id: id }));
    expect(await create()).toBe("FAILED_PRECONDITION TENANT_NOT_READY");
    aheadMs += 11 * 60_000;
    expect(await create()).toBe("done");
    for (const list of ["AdminListIssuedApiKeys", "AdminListImportedApiKeys"]) expect(await api.call(list, {}, headersOf(id))).toEqual({});
  },
);

test("force deletes the keys of a suspended tenant first, also one that a crashed process left", async () => {
  const id = await newTenant();
  const issued = await api.call("AdminIssueApiKey", { actor_id: "one" }, headersOf(id));
  await api.call("AdminRevokeApiKey", { key_id: asObject(issued.issued_api_key).key_id as string, reason }, headersOf(id));
  await api.call("AdminImportApiKey", { ...toImport, raw_key: "of a tenant that ends" }, headersOf(id));
  await api.call("AdminSetActorLimit", { actor_id: "one", rate_limit_policy: { quota: "5", window: "60s" } }, headersOf(id));
  const remove = (force: boolean) => outcomeOf(api.call("AdminDeleteTenant", { tenant_id: id, force }));
  expect(await remove(true)).toBe("FAILED_PRECONDITION TENANT_NOT_READY");
  const [arrived, suspended] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  between.insert = async (tenant) => {
    if (tenant !== id) return;
    arrived.resolve();
    await suspended.promise;
  };
  between.remove = async (tenant) => {
    if (tenant === id) throw new Error("the process crashes here");
  };
  const adding = outcomeOf(api.call("AdminIssueApiKey", {}, headersOf(id)));
  await arrived.promise;
  await api.call("AdminSuspendTenant", { tenant_id: id });
  suspended.resolve();
  expect(await adding).toBe("INTERNAL INTERNAL");
  Object.assign(between, untouched);
  expect(await remove(false)).toBe("FAILED_PRECONDITION TENANT_NOT_READY");
  expect(await remove(true)).toBe("done");
  await api.call("AdminCreateTenant", { tenant_id: id });
  for (const list of ["AdminListIssuedApiKeys", "AdminListImportedApiKeys", "AdminListActorLimits"])
    expect(await api.call(list, {}, headersOf(id))).toEqual({});
  expect(await api.verify({ credential: String(issued.secret) }, headersOf(id))).toMatchObject({
    error_code: "VERIFICATION_ERROR_NOT_FOUND",
  });
});

test("a tenant that is resumed while its keys are deleted keeps what is left", async () => {
  const id = await newTenant();
  for (let index = 0; index < 7; index += 1) await api.call("AdminIssueApiKey", {}, headersOf(id));
  await api.call("AdminSuspendTenant", { tenant_id: id });
  between.remove = async (tenant) => {
    if (tenant !== id) return;
    Object.assign(between, untouched);
    await api.call("AdminResumeTenant", { tenant_id: id });
  };
  expect(await outcomeOf(api.call("AdminDeleteTenant", { tenant_id: id, force: true }))).toBe("FAILED_PRECONDITION TENANT_NOT_READY");
  expect((await api.call("AdminListIssuedApiKeys", {}, headersOf(id))).issued_api_keys).toHaveLength(2);
});

test.each([
  ["AdminSetActorLimit", "replace"],
  ["AdminRemoveActorLimit", "remove"],
  ["AdminDeleteImportedApiKey", "remove"],
] as const)("%s: a call to a tenant does not change what a new tenant of the same name has", async (method, step) => {
  const id = await newTenant();
  const set = (quota: string) =>
    api.call("AdminSetActorLimit", { actor_id: "one", rate_limit_policy: { quota, window: "60s" } }, headersOf(id));
  const fill = async (quota: string) => {
    await set(quota);
    return (await api.call("AdminImportApiKey", toImport, headersOf(id))).key_id as string;
  };
  const keyId = await fill("5");
  const [arrived, replaced] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  between[step] = async (tenant) => {
    if (tenant !== id) return;
    arrived.resolve();
    await replaced.promise;
  };
  const requests = { AdminRemoveActorLimit: { actor_id: "one" }, AdminDeleteImportedApiKey: { key_id: keyId } };
  const late = outcomeOf(method === "AdminSetActorLimit" ? set("6") : api.call(method, requests[method], headersOf(id)));
  await arrived.promise;
  Object.assign(between, untouched);
  await api.call("AdminSuspendTenant", { tenant_id: id });
  await api.call("AdminDeleteTenant", { tenant_id: id, force: true });
  await api.call("AdminCreateTenant", { tenant_id: id });
  expect(await fill("7")).toBe(keyId);
  replaced.resolve();
  expect(await late).toBe("FAILED_PRECONDITION TENANT_SUSPENDED");
  const { actor_limits } = await api.call("AdminListActorLimits", {}, headersOf(id));
  expect(actor_limits).toMatchObject([{ rate_limit_policy: { quota: "7" } }]);
  expect((await api.call("AdminListImportedApiKeys", {}, headersOf(id))).imported_api_keys).toHaveLength(1);
});

test("a key that was deleted but not announced does not verify in a new tenant of the same name", async () => {
  const id = await newTenant();
  const { secret } = await api.call("AdminIssueApiKey", {}, headersOf(id));
  const verify = () => api.verify({ credential: String(secret) }, headersOf(id));
  expect(await verify()).toMatchObject({ is_valid: true });
  await api.call("AdminSuspendTenant", { tenant_id: id });
  between.removed = async (tenant) => {
    if (tenant === id) throw new Error("the process crashes here");
  };
  const remove = () => outcomeOf(api.call("AdminDeleteTenant", { tenant_id: id, force: true }));
  expect(await remove()).toBe("INTERNAL INTERNAL");
  Object.assign(between, untouched);
  expect(await remove()).toBe("done");
  await api.call("AdminCreateTenant", { tenant_id: id });
  expect(await verify()).toMatchObject({ error_code: "VERIFICATION_ERROR_NOT_FOUND" });
});

test("a call that finds its tenant deleted by another process leaves a new tenant of the same name alone", async () => {
  const id = await newTenant();
  await api.call("AdminSuspendTenant", { tenant_id: id });
  const recordId = `t${id.replaceAll("-", "Z")}`;
  between.remove = async (tenant) => {
    if (tenant !== "default") return;
    Object.assign(between, untouched);
    await opened?.delete("default", "tenant", recordId, auditEvent({ keyIds: [recordId] }));
    await api.call("AdminCreateTenant", { tenant_id: id });
    await api.call("AdminIssueApiKey", {}, headersOf(id));
    await api.call("AdminSuspendTenant", { tenant_id: id });
  };
  expect(await outcomeOf(api.call("AdminDeleteTenant", { tenant_id: id, force: true }))).toBe("NOT_FOUND TENANT_NOT_FOUND");
  expect((await api.call("AdminListIssuedApiKeys", {}, headersOf(id))).issued_api_keys).toHaveLength(1);
});

test.skipIf(!isOnMongo)(
  "of two processes that delete a tenant at once, one does, and each key is deleted once (skipped on SQLite)",
  async () => {
    await using other = await startApi("grpc", { dataDir: api.server.dataDir });
    const both = [api, other];
    for (let round = 0; round < 2; round += 1) {
      const id = await newTenant({ max_keys: "40" });
      const requests = Array.from({ length: 40 }, (_, index) => ({ raw_key: `raw_${index}`, name: "a", actor_id: "b" }));
      const fill = (on: Api) => on.call("AdminBatchImportApiKeys", { requests }, headersOf(id));
      expect(await fill(api)).toMatchObject({ success_count: 40 });
      const verified = () => Promise.all(both.map((on) => on.verify({ credential: "raw_7" }, headersOf(id))));
      expect(await verified()).toMatchObject([{ is_valid: true }, { is_valid: true }]);
      await api.call("AdminSuspendTenant", { tenant_id: id });
      const remove = (on: Api) => outcomeOf(on.call("AdminDeleteTenant", { tenant_id: id, force: true }));
      expect((await Promise.all(both.map(remove))).toSorted()).toEqual(["NOT_FOUND TENANT_NOT_FOUND", "done"]);
      const eventsOf = async (filter: string, headers = {}) => {
        const { audit_events = [] } = await api.call("AdminListAuditEvents", { filter, page_size: 1000 }, headers);
        return (audit_events as JsonObject[]).flatMap(({ key_ids }) => key_ids as string[]);
      };
      expect(await eventsOf(`method=AdminDeleteTenant AND key_id=t${id.replaceAll("-", "Z")}`)).toHaveLength(1);
      await other.call("AdminCreateTenant", { tenant_id: id, tenant: { max_keys: "40" } });
      const keyIds = await eventsOf("method=AdminDeleteTenant", headersOf(id));
      expect([keyIds.length, new Set(keyIds).size]).toEqual([40, 40]);
      for (const answer of await verified()) expect(answer).toMatchObject({ error_code: "VERIFICATION_ERROR_NOT_FOUND" });
      // A place that was given back twice would make room for more.
      expect(await fill(other)).toMatchObject({ success_count: 40 });
      expect(await outcomeOf(api.call("AdminIssueApiKey", {}, headersOf(id)))).toBe("RESOURCE_EXHAUSTED KEY_QUOTA_EXHAUSTED");
    }
  },
);

test("one call at a time deletes a tenant, and it stops when its caller is gone", async () => {
  const id = await newTenant();
  for (let index = 0; index < 7; index += 1) await api.call("AdminIssueApiKey", {}, headersOf(id));
  await api.call("AdminSuspendTenant", { tenant_id: id });
  const [arrived, gone] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  between.remove = async (tenant) => {
    if (tenant !== id) return;
    arrived.resolve();
    await gone.promise;
  };
  const path = `${api.server.url}/v2alpha1/admin/tenants/${id}?force=true`;
  const caller = new AbortController();
  const headers = { authorization: `Bearer ${api.server.adminToken}` };
  const first = fetch(path, { method: "DELETE", headers, signal: caller.signal }).catch((error: Error) => error.name);
  await arrived.promise;
  const second = () => outcomeOf(api.call("AdminDeleteTenant", { tenant_id: id }));
  expect(await second()).toBe("ABORTED CONCURRENT_CHANGE");
  caller.abort();
  expect(await first).toBe("AbortError");
  // The server has seen that the connection is closed once it has answered a later call.
  await api.call("AdminGetTenant", { tenant_id: id });
  gone.resolve();
  Object.assign(between, untouched);
  await expect.poll(second).toBe("FAILED_PRECONDITION TENANT_NOT_READY");
  expect((await api.call("AdminListIssuedApiKeys", {}, headersOf(id))).issued_api_keys).toHaveLength(2);
});

test("a key that was left to a deleted tenant can be imported again, also while another call still removes it", async () => {
  const request = toImport;
  const id = await deletedTenantWithKey("AdminImportApiKey", request);
  aheadMs += 11 * 60_000;
  const [arrived, imported] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  between.remove = async () => {
    Object.assign(between, untouched);
    arrived.resolve();
    await imported.promise;
  };
  const slow = outcomeOf(api.call("AdminCreateTenant", { tenant_id: id }));
  await arrived.promise;
  await api.call("AdminCreateTenant", { tenant_id: id });
  await api.call("AdminImportApiKey", request, headersOf(id));
  imported.resolve();
  expect(await slow).toBe("ALREADY_EXISTS TENANT_ALREADY_EXISTS");
  expect(await api.verify({ credential: request.raw_key }, headersOf(id))).toMatchObject({ is_valid: true });
});

test("after concurrent issues, suspensions and deletions, everything acknowledged is true", async () => {
  const rounds = Array.from({ length: 6 }, async () => {
    const id = await newTenant();
    const issuing = Array.from({ length: 4 }, () => api.call("AdminIssueApiKey", {}, headersOf(id)).catch(() => null));
    await api.call("AdminSuspendTenant", { tenant_id: id });
    const deleted = await outcomeOf(api.call("AdminDeleteTenant", { tenant_id: id }));
    const issued = (await Promise.all(issuing)).filter((response) => response !== null);
    if (deleted === "done") expect(issued).toEqual([]);
    if (deleted !== "done") expect(await outcomeOf(api.call("AdminGetTenant", { tenant_id: id }))).toBe("done");
  });
  await Promise.all(rounds);
});

test.skipIf(!isOnMongo)("a process that is cut off from Redis learns of hosts and prefixes of tenants (skipped on SQLite)", async () => {
  const redis = new URL(process.env.KEYWRIGHT_TEST_BACKEND?.split(" ")[1] ?? "");
  const proxy = await startTcpProxy(Number(redis.port));
  redis.port = String(proxy.port);
  await using other = await startApi("grpc", { dataDir: api.server.dataDir, env: { KEYWRIGHT_CACHE: redis.href } });
  proxy.set("silent");
  const id = await newTenant({ key_prefix: "cutoff", hosts: ["cutoff.example"] });
  const { issued_api_key, secret } = await api.call("AdminIssueApiKey", {}, headersOf(id));
  const { key_id } = asObject(issued_api_key);
  await using client = restHttp2.open(other.server.url, other.server.adminToken);
  const atHost = { headers: { ":authority": "cutoff.example" } };
  await expect
    .poll(() => outcomeOf(succeed(client, "AdminGetIssuedApiKey", { key_id: String(key_id) }, atHost)), { timeout: 10_000 })
    .toBe("done");
  await expect
    .poll(() => outcomeOf(other.call("SelfInspect", { credential: String(secret) }, { token: null })), { timeout: 10_000 })
    .toBe("done");
  proxy.set("pass");
  await proxy.close();
});
