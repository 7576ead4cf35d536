import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { IssueApiKeyRequestSchema } from "../../gen/keywright/v2alpha1/issued_api_key_pb.ts";
import { KeyVisibility } from "../../gen/keywright/v2alpha1/key_policy_pb.ts";
import { newKeyFromMessage } from "../../src/rpc/api-keys/create-request.ts";
import { payloadDigestOf } from "../../src/service/new-key.ts";

const full: MessageInitShape<typeof IssueApiKeyRequestSchema> = {
  name: "a name",
  actorId: "an actor",
  scopes: ["z", "a", "m:read"],
  metadata: { team: "core" },
  rateLimitPolicy: { quota: 100n, window: { seconds: 60n }, unit: "requests" },
  ipRestriction: { allowedCidrs: ["10.0.0.0/8", "2001:db8::/32"] },
  visibility: KeyVisibility.PUBLIC,
  ttl: { seconds: 3600n },
  requestId: "r",
};

/** Never change a digest here: stores keep digests for a week, and after an upgrade a replay would be refused. */
test.each([
  ["all fields of the first release", full, "subject", "FiXpO76Akr8zerx_pSDWkiX7l6YLcLJocT2SqTZ-iBU"],
  ["no field", {}, null, "3kcJ-T2rLq1dsHNk2m3QJwXWfVfVjfr23l_UzPMUCno"],
])("a request with %s has the same payload digest as in that release", (_name, init, subject, digest) => {
  expect(payloadDigestOf(newKeyFromMessage(create(IssueApiKeyRequestSchema, init)), subject)).toBe(digest);
});
