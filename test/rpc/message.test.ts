import type { DescEnum } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { KeyStatusSchema, type KeyVisibility, KeyVisibilitySchema } from "../../gen/keywright/v2alpha1/key_policy_pb.ts";
import { type RevocationReason, RevocationReasonSchema } from "../../gen/keywright/v2alpha1/revocation_pb.ts";
import { VerificationErrorCodeSchema } from "../../gen/keywright/v2alpha1/verification_pb.ts";
import { parseKeyFilter } from "../../src/core/key-filter.ts";
import { reasonFromMessage, reasonToMessage, statusToMessage, visibilityFromMessage, visibilityToMessage } from "../../src/rpc/message.ts";
import { refusals } from "../../src/rpc/verified.ts";

/** The values of an enum except UNSPECIFIED, by name. */
function valuesOf(schema: DescEnum): [name: string, value: number][] {
  return schema.values.filter(({ number }) => number !== 0).map(({ name, number }) => [name, number]);
}

test.each(valuesOf(KeyStatusSchema))("%s can be filtered on, and is shown for the matching keys", (name, value) => {
  const { status } = parseKeyFilter(`status=${name}`);
  expect(status === undefined ? undefined : statusToMessage[status]).toBe(value);
});

test.each(valuesOf(KeyVisibilitySchema))("%s is read and shown", (_name, value) => {
  expect(visibilityToMessage[visibilityFromMessage(value as KeyVisibility)]).toBe(value);
});

test.each(valuesOf(RevocationReasonSchema))("%s is read and shown", (_name, value) => {
  expect(reasonToMessage(reasonFromMessage(value as RevocationReason))).toBe(value);
});

test.each(valuesOf(VerificationErrorCodeSchema))("%s is the error of a refusal", (_name, value) => {
  expect(Object.values(refusals).map(([errorCode]) => errorCode)).toContain(value);
});
