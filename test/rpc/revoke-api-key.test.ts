import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ApiHere, faults, startApi } from "../support/api.ts";

const withdrawn = "REVOCATION_REASON_PRIVILEGE_WITHDRAWN";
let api: ApiHere;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api?.[Symbol.asyncDispose]());

test.each(["REVOCATION_REASON_KEY_COMPROMISE", "REVOCATION_REASON_AFFILIATION_CHANGED", "REVOCATION_REASON_SUPERSEDED", withdrawn])(
  "%s is stored",
  async (reason) => {
    const { keyId, secret } = await api.issue();
    await api.call("AdminRevokeApiKey", { key_id: keyId, reason });
    expect(await api.get(keyId)).toMatchObject({ status: "KEY_STATUS_REVOKED", revocation_reason: reason });
    expect(await api.verify({ credential: secret })).toMatchObject({ is_valid: false, error_code: "VERIFICATION_ERROR_REVOKED" });
  },
);

const reasons = {
  superseded: "REVOCATION_REASON_SUPERSEDED",
  affiliation: "REVOCATION_REASON_AFFILIATION_CHANGED",
  withdrawn,
  compromise: "REVOCATION_REASON_KEY_COMPROMISE",
};

describe("the reason of a revoked key", () => {
  test.each([
    [reasons.superseded, reasons.compromise],
    [reasons.superseded, reasons.affiliation],
    [reasons.superseded, withdrawn],
    [reasons.affiliation, reasons.compromise],
    [withdrawn, reasons.compromise],
  ])("rises from %s to %s", async (first, second) => {
    const { keyId, secret } = await api.issue();
    await api.call("AdminRevokeApiKey", { key_id: keyId, reason: first });
    await api.call("AdminRevokeApiKey", { key_id: keyId, reason: second });
    expect(await api.get(keyId)).toMatchObject({ status: "KEY_STATUS_REVOKED", revocation_reason: second });
    expect(await api.verify({ credential: secret })).toMatchObject({ error_code: "VERIFICATION_ERROR_REVOKED" });
  });

  test.each([
    [reasons.compromise, reasons.superseded],
    [reasons.compromise, withdrawn],
    [withdrawn, reasons.superseded],
    [withdrawn, reasons.affiliation],
    [reasons.affiliation, withdrawn],
    [withdrawn, withdrawn],
  ])("is not lowered from %s to %s", async (first, second) => {
    const { keyId } = await api.issue();
    await api.call("AdminRevokeApiKey", { key_id: keyId, reason: first, ...(first === withdrawn && { description: "first" }) });
    const before = await api.get(keyId);
    await api.call("AdminRevokeApiKey", { key_id: keyId, reason: second, ...(second === withdrawn && { description: "second" }) });
    expect(await api.get(keyId)).toEqual(before);
  });

  test("is raised for the old key of a rotation, and a description is removed with the reason that it explained", async () => {
    const { keyId } = await api.issue();
    await api.call("AdminRotateIssuedApiKey", { key_id: keyId });
    expect(await api.get(keyId)).toMatchObject({ revocation_reason: reasons.superseded });
    await api.call("AdminRevokeApiKey", { key_id: keyId, reason: withdrawn, description: "why" });
    expect(await api.get(keyId)).toMatchObject({ revocation_reason: withdrawn, revocation_description: "why" });
    await api.call("AdminRevokeIssuedApiKey", { key_id: keyId, reason: reasons.compromise });
    const { revocation_reason, revocation_description = "" } = await api.get(keyId);
    expect([revocation_reason, revocation_description]).toEqual([reasons.compromise, ""]);
  });

  test("is in the audit trail for each call that raises it, and for each report of a compromise", async () => {
    const { keyId } = await api.issue();
    for (const reason of [reasons.superseded, reasons.compromise, reasons.superseded, reasons.compromise]) {
      await api.call("AdminRevokeApiKey", { key_id: keyId, reason });
    }
    const filter = `key_id="${keyId}" AND method="AdminRevokeApiKey"`;
    const { audit_events } = await api.call("AdminListAuditEvents", { filter });
    // Newest first.
    const seen = (audit_events as JsonObject[]).map(({ revocation_reason }) => revocation_reason);
    expect(seen).toEqual([reasons.compromise, reasons.compromise, reasons.superseded]);
  });

  test("is raised by 20 concurrent calls: all succeed and are in the audit trail, and one of them changes it", async () => {
    const { keyId } = await api.issue();
    await api.call("AdminRotateIssuedApiKey", { key_id: keyId });
    const before = await api.get(keyId);
    const calls = Array.from({ length: 20 }, () => api.call("AdminRevokeApiKey", { key_id: keyId, reason: reasons.compromise }));
    await Promise.all(calls);
    const { audit_events } = await api.call("AdminListAuditEvents", { filter: `key_id="${keyId}" AND method="AdminRevokeApiKey"` });
    expect(audit_events).toHaveLength(20);
    const after = await api.get(keyId);
    await api.call("AdminRevokeApiKey", { key_id: keyId, reason: reasons.compromise });
    expect(await api.get(keyId)).toEqual(after);
    expect(after.update_time).not.toEqual(before.update_time);
  });
});

test("20 concurrent revocations all succeed with one reason", async () => {
  const { keyId } = await api.issue();
  const descriptions = Array.from({ length: 20 }, (_, index) => `number ${index}`);
  await Promise.all(descriptions.map((description) => api.call("AdminRevokeApiKey", { key_id: keyId, reason: withdrawn, description })));
  expect(descriptions).toContain((await api.get(keyId)).revocation_description);
});

test("an expired key can be revoked", async () => {
  const { keyId } = await api.issue({ ttl: "1s" });
  api.pass(1050);
  await api.call("AdminRevokeApiKey", { key_id: keyId, reason: "REVOCATION_REASON_KEY_COMPROMISE" });
  expect(await api.get(keyId)).toMatchObject({ status: "KEY_STATUS_REVOKED" });
});

describe("refused", () => {
  test.each<[JsonObject, string]>([
    [{ reason: "REVOCATION_REASON_KEY_COMPROMISE", description: "why" }, "description"],
    [{ reason: withdrawn, description: "x".repeat(1025) }, "description"],
    [{ reason: "REVOCATION_REASON_UNSPECIFIED" }, "reason"],
    [{ reason: 5 }, "reason"],
    [{}, "reason"],
  ])("%j for %s", async (request, field) => {
    const { keyId } = await api.issue();
    expect(faults(await api.refused("AdminRevokeApiKey", { key_id: keyId, ...request }))).toEqual(["INVALID_ARGUMENT", field]);
    expect(await api.get(keyId)).toMatchObject({ status: "KEY_STATUS_ACTIVE" });
  });

  test("an unknown key", async () => {
    expect(faults(await api.refused("AdminRevokeApiKey", { key_id: "absent", reason: withdrawn }))).toEqual(["NOT_FOUND"]);
  });
});

test("a description of 1024 characters is stored", async () => {
  const { keyId } = await api.issue();
  const description = "ü".repeat(1024);
  await api.call("AdminRevokeApiKey", { key_id: keyId, reason: withdrawn, description });
  expect((await api.get(keyId)).revocation_description).toBe(description);
});

test.each(["Issued", "Imported"] as const)("AdminRevoke%sApiKey revokes only keys of its own kind", async (kind) => {
  const method = `AdminRevoke${kind}ApiKey`;
  const { keyId: issued, secret } = await api.issue();
  const raw_key = `sk of ${kind}`;
  const imported = String((await api.call("AdminImportApiKey", { raw_key, name: "x", actor_id: "x" })).key_id);
  const [own, other] = kind === "Issued" ? [issued, imported] : [imported, issued];
  const [ownKey, otherKey] = kind === "Issued" ? [secret, raw_key] : [raw_key, secret];
  expect(await api.refused(method, { key_id: other, reason: withdrawn })).toMatchObject({ reason: "KEY_NOT_FOUND" });
  expect(await api.verify({ credential: otherKey })).toMatchObject({ is_valid: true });
  await api.call(method, { key_id: own, reason: withdrawn, description: "why" });
  expect(await api.verify({ credential: ownKey })).toMatchObject({ is_valid: false, error_code: "VERIFICATION_ERROR_REVOKED" });
  expect(faults(await api.refused(method, { key_id: own, reason: "REVOCATION_REASON_UNSPECIFIED" }))).toEqual([
    "INVALID_ARGUMENT",
    "reason",
  ]);
});
