import { create, type DescMessage, type Message } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { IssueApiKeyRequestSchema } from "../../gen/keywright/v2alpha1/issued_api_key_pb.ts";
import { RevocationReason, SelfRevokeApiKeyRequestSchema } from "../../gen/keywright/v2alpha1/revocation_pb.ts";
import { DeleteTenantRequestSchema } from "../../gen/keywright/v2alpha1/tenant_pb.ts";
import { VerifyApiKeyRequestSchema } from "../../gen/keywright/v2alpha1/verification_pb.ts";
import type { Call } from "../../src/call/call.ts";
import { validate } from "../../src/rpc/interceptors/validate.ts";
import { createValidation } from "../../src/validation/violations.ts";

const surelyValid = create(VerifyApiKeyRequestSchema, { credential: "abc" });
const invalid = create(VerifyApiKeyRequestSchema, { credential: "abc", cost: -1 });

test("a message that is certainly valid needs no validator; any other waits for it once", async () => {
  const { prepare, violationsOf } = createValidation();
  expect(prepare(VerifyApiKeyRequestSchema, surelyValid)).toBeUndefined();
  expect(violationsOf(VerifyApiKeyRequestSchema, surelyValid)).toEqual([]);
  expect(() => violationsOf(VerifyApiKeyRequestSchema, invalid)).toThrow("was not prepared");

  await prepare(VerifyApiKeyRequestSchema, invalid);
  expect(violationsOf(VerifyApiKeyRequestSchema, invalid)).toMatchObject([{ field: "cost" }]);
  expect(prepare(IssueApiKeyRequestSchema, create(IssueApiKeyRequestSchema))).toBeUndefined();
});

test("an empty text is called so", async () => {
  const { prepare, violationsOf } = createValidation();
  const empty = create(DeleteTenantRequestSchema);
  await prepare(DeleteTenantRequestSchema, empty);
  expect(violationsOf(DeleteTenantRequestSchema, empty)).toEqual([{ field: "tenant_id", description: "must not be empty" }]);
});

test("a value that an enum does not allow is refused with the names of those that it allows", async () => {
  const { prepare, violationsOf } = createValidation();
  const problemOf = async (reason: RevocationReason) => {
    const message = create(SelfRevokeApiKeyRequestSchema, { credential: "abc", reason });
    await prepare(SelfRevokeApiKeyRequestSchema, message);
    return violationsOf(SelfRevokeApiKeyRequestSchema, message)[0];
  };
  const names = ["KEY_COMPROMISE", "AFFILIATION_CHANGED", "SUPERSEDED"].map((name) => `REVOCATION_REASON_${name}`).join(", ");
  for (const reason of [RevocationReason.UNSPECIFIED, RevocationReason.PRIVILEGE_WITHDRAWN, 99 as RevocationReason]) {
    expect(await problemOf(reason)).toEqual({ field: "reason", description: `must be one of ${names}` });
  }
  expect(await problemOf(RevocationReason.SUPERSEDED)).toBeUndefined();
});

test("the interceptor refuses the first invalid call like later ones, and warming up changes nothing", async () => {
  const handlerOf = (validation: ReturnType<typeof createValidation>) => {
    const handler = validate(validation)((request) => request);
    return async (schema: DescMessage, message: Message) => handler(message, { method: { input: schema } } as Call);
  };
  const cold = createValidation();
  const warm = createValidation();
  await warm.warmUp([VerifyApiKeyRequestSchema, IssueApiKeyRequestSchema]);
  for (const handle of [handlerOf(cold), handlerOf(cold), handlerOf(warm)]) {
    await expect(handle(VerifyApiKeyRequestSchema, invalid)).rejects.toMatchObject({
      reason: "INVALID_REQUEST",
      violations: [{ field: "cost" }],
    });
    expect(await handle(VerifyApiKeyRequestSchema, surelyValid)).toBe(surelyValid);
  }
});

test("a duration with nanos out of range, of mixed signs or beyond 10,000 years is refused, also inside a message", async () => {
  const { prepare, violationsOf } = createValidation();
  const fieldsOf = async (ttl: object, window: object): Promise<string[]> => {
    const request = create(IssueApiKeyRequestSchema, { ttl, rateLimitPolicy: { quota: 1n, window } });
    await prepare(IssueApiKeyRequestSchema, request);
    return violationsOf(IssueApiKeyRequestSchema, request).map(({ field }) => field);
  };
  const bad = [
    { seconds: 1n, nanos: -1 },
    { seconds: -1n, nanos: 1 },
    { seconds: 1n, nanos: 1_000_000_000 },
    { seconds: 315_576_000_001n },
  ];
  for (const each of bad) {
    expect(await fieldsOf(each, { seconds: 60n })).toEqual(["ttl"]);
    expect(await fieldsOf({ seconds: 60n }, each)).toEqual(["rate_limit_policy.window"]);
  }
  expect(await fieldsOf({ seconds: 60n, nanos: 500_000_000 }, { seconds: 60n })).toEqual([]);
});
