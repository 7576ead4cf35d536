import { describe, expect, test } from "vitest";
import { parseAuditFilter } from "../../src/core/audit-filter.ts";
import { parseKeyFilter, withOrder } from "../../src/core/key-filter.ts";
import { Failure } from "../../src/error/failure.ts";

describe("parseKeyFilter", () => {
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
    ['name="billing-*"', { name: { text: "billing-", isPrefix: true } }],
    ["name=billing", { name: { text: "billing", isPrefix: false } }],
    ['name="billing-\\*"', { name: { text: "billing-*", isPrefix: false } }],
    ['name="back\\\\*"', { name: { text: "back\\", isPrefix: true } }],
    ['name="*a*b"', { name: { text: "*a*b", isPrefix: false } }],
    ['scopes:"a:b"', { scopes: ["a:b"] }],
    ['scopes:"*"', { scopes: ["*"] }],
    ['actor_id="team-*"', { actorId: "team-*" }],
    ['metadata.count="5"', { metadata: [["count", "5"]] }],
    ["disabled=true", { disabled: true }],
    ['metadata.team="blue"', { metadata: [["team", "blue"]] }],
    ['metadata.team:"blue"', { metadata: [["team", "blue"]] }],
    [
      'scopes:"a" AND scopes:"b" AND metadata.env="prod" AND metadata.team="x"',
      {
        scopes: ["a", "b"],
        metadata: [
          ["env", "prod"],
          ["team", "x"],
        ],
      },
    ],
    // An object would sort these.
    [
      'metadata.2="rare" AND metadata.1="common"',
      {
        metadata: [
          ["2", "rare"],
          ["1", "common"],
        ],
      },
    ],
    ["scopes:orders:read", { scopes: ["orders:read"] }],
    ["create_time>=1970-01-01T01:00:01+01:00", { createTime: { fromMs: 1000 } }],
    ["(actor_id=a)", { actorId: "a" }],
    [
      "( (actor_id=a) AND(name='(') ) AND (status=KEY_STATUS_ACTIVE )",
      { actorId: "a", name: { text: "(", isPrefix: false }, status: "active" },
    ],
    ['create_time>="1970-01-01T00:00:01Z" AND create_time<"1970-01-01T00:00:02Z"', { createTime: { fromMs: 1000, untilMs: 2000 } }],
    ['expire_time>"1970-01-01T00:00:01Z" AND expire_time<="1970-01-01T00:00:02Z"', { expireTime: { fromMs: 1001, untilMs: 2001 } }],
    ['last_used_time<"1970-01-01T00:00:01.0005Z"', { lastUsedTime: { untilMs: 1001 } }],
  ])("reads %s", (text, expected) => {
    expect(parseKeyFilter(text)).toEqual(expected);
  });

  test.each([
    ["key_id=x", /column 1: unsupported field or operator; use actor_id, status, name or disabled with =, metadata/],
    ["disabled=false", /column 1: disabled must be compared with true/],
    ["disabled:true", /unsupported field or operator/],
    ["name=*", /column 1: name must have at least one character before the \*/],
    ['name="a\\tb"', /column 1: a backslash must precede a quote/],
    ["scopes:*", /column 1: scopes has no wildcards; to find a \*, put the value in quotes/],
    ["metadata.team=*", /column 1: metadata\.team has no wildcards/],
    ["actor_id=team-*", /actor_id has no wildcards/],
    ["metadata.count=5", /column 1: metadata is compared with texts; put the value in quotes/],
    ["metadata.ok=true", /metadata is compared with texts/],
    ["metadata.none=null", /metadata is compared with texts/],
    ["actor_id!=x", /unsupported field or operator/],
    ["actor_id:x", /unsupported field or operator/],
    ["status=ACTIVE", /status must be one of/],
    ["status=constructor", /status must be one of/],
    ["actor_id=a actor_id=b", /column 11: expected AND/],
    ["actor_id=a OR status=KEY_STATUS_ACTIVE", /column 11: expected AND; .* OR, NOT and - are not supported/],
    ["NOT status=KEY_STATUS_ACTIVE", /column 1: expected a restriction .* OR, NOT and - are not supported/],
    ["-status=KEY_STATUS_ACTIVE", /column 1: expected a restriction .* OR, NOT and - are not supported/],
    ["actor_id=a AND actor_id=b", /column 16: duplicate restriction/],
    ["scopes:a AND scopes:b AND scopes:a", /column 27: duplicate restriction on scopes/],
    ["metadata.a=x AND metadata.a=y", /duplicate restriction on metadata\.a/],
    [[1, 2, 3, 4, 5, 6].map((each) => `scopes:s${each}`).join(" AND "), /column 71: at most 5 restrictions may be on scopes/],
    [[1, 2, 3, 4, 5, 6].map((each) => `metadata.m${each}=x`).join(" AND "), /at most 5 restrictions may be on metadata/],
    ["status=KEY_STATUS_ACTIVE AND status=KEY_STATUS_ACTIVE", /duplicate restriction/],
    ["actor_id=a AND", /expected AND|expected a restriction/],
    ["AND actor_id=a", /expected a restriction/],
    ['actor_id="open', /expected a restriction/],
    ["actor_id", /expected a restriction/],
    ["=", /expected a restriction/],
    ["()", /column 1: expected a restriction/],
    ["(actor_id=a", /column 11: each \( must have a \)/],
    ["actor_id=a)", /column 11: each \( must have a \)/],
    ["actor_id=a) AND (name=b", /column 11: each \( must have a \)/],
  ])("refuses %s", (text, message) => {
    expect(() => parseKeyFilter(text)).toThrow(message);
    expect(() => parseKeyFilter(text)).toThrow(Failure);
  });
});

describe("parseAuditFilter", () => {
  test.each([
    ["", {}],
    ["key_id=01HQ", { keyId: "01HQ" }],
    ['caller=""', { caller: "" }],
    ['method=AdminIssueApiKey AND caller="gate way"', { method: "AdminIssueApiKey", caller: "gate way" }],
    [
      'event_time>="2026-01-31T00:00:00Z" AND event_time < "2026-01-31T01:00:00.5+01:00"',
      { fromMs: Date.UTC(2026, 0, 31), untilMs: Date.UTC(2026, 0, 31, 0, 0, 0, 500) },
    ],
    ['event_time>="2026-01-31T00:00:00.0010001Z"', { fromMs: Date.UTC(2026, 0, 31, 0, 0, 0, 2) }],
    ["(event_time>2026-01-31T00:00:00Z)", { fromMs: Date.UTC(2026, 0, 31, 0, 0, 0, 1) }],
    ['event_time<="2026-01-31T00:00:00Z"', { untilMs: Date.UTC(2026, 0, 31, 0, 0, 0, 1) }],
  ])("reads %s", (text, expected) => {
    expect(parseAuditFilter(text)).toEqual(expected);
  });

  test.each([
    ["actor_id=x", /column 1: unsupported restriction; use key_id, caller or method/],
    ["method=a AND key_id>b", /column 14: unsupported restriction; use key_id/],
    ["constructor=x", /unsupported restriction; use key_id/],
    ['event_time="2026-01-31T00:00:00Z"', /event_time with <, <=, > or >=/],
    ['event_time>="2026-02-30T00:00:00Z"', /RFC 3339/],
    ["event_time<yesterday", /RFC 3339/],
    ["event_time<2026-01-31T00:00:00Z AND event_time<=2026-01-31T00:00:00Z", /duplicate restriction on event_time/],
    ["key_id=a AND key_id=b", /column 14: duplicate restriction on key_id/],
  ])("refuses %s", (text, message) => {
    expect(() => parseAuditFilter(text)).toThrow(message);
    expect(() => parseAuditFilter(text)).toThrow(Failure);
  });
});

test.each([
  ["status=KEY_STATUS_EXPIRED", "", { by: "expireTime", isDescending: false }],
  ["status=KEY_STATUS_ACTIVE", "", { by: "expireTime", isDescending: false }],
  ["status=KEY_STATUS_ACTIVE", "create_time desc", { by: "createTime", isDescending: true }],
  ["", " expire_time  asc ", { by: "expireTime", isDescending: false }],
  ["status=KEY_STATUS_REVOKED", "", undefined],
  ['status=KEY_STATUS_ACTIVE AND actor_id="ann"', "", undefined],
  ["", "", undefined],
])("filter %j, order_by %j: ordered by %j", (filter, orderBy, order) => {
  expect(withOrder(parseKeyFilter(filter), orderBy).order).toEqual(order);
});

test.each(["create_time desc asc", "create_time, expire_time", "CREATE_TIME", "name"])("refuses order_by %j", (orderBy) => {
  expect(() => withOrder({}, orderBy)).toThrow(/order_by: must be create_time or expire_time/);
});
