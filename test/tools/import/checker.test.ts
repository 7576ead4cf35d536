import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { ImportApiKeyRequestSchema } from "../../../gen/keywright/v2alpha1/imported_api_key_pb.ts";
import { createChecker } from "../../../tools/import/checker.ts";
import { beginning } from "../../../tools/import/rows.ts";

test.each([
  ["10.0.0.1", '"10.0.0.1/32"'],
  ["10.0.0.1/8", '"10.0.0.0/8"'],
  ["2001:db8::1/32", '"2001:db8::/32"'],
])("a dry run suggests the correct form of the range %s", async (range, suggestion) => {
  const requestWith = (allowedCidrs: string[]) =>
    create(ImportApiKeyRequestSchema, { rawKey: "a raw key", name: "x", actorId: "a", ipRestriction: { allowedCidrs } });
  const requests = [requestWith(["::ffff:10.0.0.0/104"]), requestWith(["192.0.2.0/24", range])];
  const batch = { start: beginning, end: beginning, sha256: "", requests, lines: [2, 3], unreadable: [] };
  const failures = await createChecker().send(batch, "run 1");
  expect(failures).toEqual([{ line: 3, reason: "INVALID_ARGUMENT", message: expect.stringContaining(suggestion) }]);
  expect(failures[0]?.message).toMatch(/^ip_restriction\.allowed_cidrs\[1\]: /);
});
