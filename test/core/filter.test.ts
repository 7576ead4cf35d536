import { describe, expect, test } from "vitest";
import { parseFilter } from "../../src/core/filter.ts";
import { Failure } from "../../src/error/failure.ts";

describe("parseFilter", () => {
  test.each([
    ["", {}],
    ["   ", {}],
    ['actor_id="user_123"', { actorId: "user_123" }],
    ["actor_id = user_123", { actorId: "user_123" }],
    ["actor_id='it is'", { actorId: "it is" }],
    ['actor_id="a \\"quoted\\" \\\\ one"', { actorId: 'a "quoted" \\ one' }],
    ['actor_id=""', { actorId: "" }],
    ['actor_id="a AND b"', { actorId: "a AND b" }],
    ["status=KEY_STATUS_ACTIVE", { status: "active" }],
    ['status="KEY_STATUS_EXPIRED"', { status: "expired" }],
    ['actor_id="u" AND status=KEY_STATUS_REVOKED', { actorId: "u", status: "revoked" }],
    ['  status=KEY_STATUS_REVOKED   AND   actor_id="u"  ', { actorId: "u", status: "revoked" }],
  ])("reads %s", (text, expected) => {
    expect(parseFilter(text)).toEqual(expected);
  });

  test.each([
    ["name=x", /column 1: only actor_id and status/],
    ["actor_id!=x", /only the operator =/],
    ["actor_id:x", /only the operator =/],
    ["status=ACTIVE", /status must be one of/],
    ["status=constructor", /status must be one of/],
    ["actor_id=a actor_id=b", /column 11: expected AND/],
    ["actor_id=a OR status=KEY_STATUS_ACTIVE", /column 11: expected AND/],
    ["actor_id=a AND actor_id=b", /twice/],
    ["status=KEY_STATUS_ACTIVE AND status=KEY_STATUS_ACTIVE", /twice/],
    ["actor_id=a AND", /expected AND|expected a restriction/],
    ["AND actor_id=a", /expected a restriction/],
    ['actor_id="open', /expected a restriction/],
    ["actor_id", /expected a restriction/],
    ["=", /expected a restriction/],
    ["(actor_id=a)", /expected a restriction/],
  ])("refuses %s", (text, message) => {
    expect(() => parseFilter(text)).toThrow(message);
    expect(() => parseFilter(text)).toThrow(Failure);
  });
});
