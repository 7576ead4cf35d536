import { expect, test } from "vitest";
import { Health } from "../../gen/grpc/health/v1/health_pb.ts";
import { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { createAccessOf, rolesProblems } from "../../src/rpc/admission/permissions.ts";

test("a role may list only methods of the role admin", () => {
  const problems = rolesProblems({ a: ["AdminVerifyApiKey", "AdminVerifyApiKeys"], b: ["GetJwks"] });
  expect(problems).toEqual(["roles.a: item 2 is not the name of a method", "roles.b: item 1 is not a method of the role admin"]);
});

test("nobody may call a method without a row", () => {
  const accessOf = createAccessOf({ a: ["AdminVerifyApiKey"] });
  expect(accessOf(Health.method.check)).toBeUndefined();
  expect(accessOf(ApiKeysService.method.adminVerifyApiKey)).toEqual(["admin", "verifier", "a"]);
});
