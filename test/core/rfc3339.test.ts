import { expect, test } from "vitest";
import { parseAuditFilter } from "../../src/core/audit-filter.ts";
import { parseRfc3339 } from "../../src/core/rfc3339.ts";
import { factsOf } from "../../src/core/token/claims.ts";

test.each([
  ["0001-01-01T00:00:00Z", -62_135_596_800_000],
  ["0001-01-01T01:00:00+01:00", -62_135_596_800_000],
  ["9999-12-31T23:59:59.999999999Z", 253_402_300_799_999],
  ["9999-12-31T22:59:59-01:00", 253_402_300_799_000],
])("%s is parsed", (text, expected) => {
  expect(parseRfc3339(text)).toBe(expected);
});

const outside = [
  "0000-01-01T00:00:00Z",
  "0000-12-31T23:59:59Z",
  "0001-01-01T00:59:59+01:00",
  "9999-12-31T23:59:59-00:01",
  "9999-12-31T23:59:59.999999999-23:59",
];

test.each(outside)("%s is not a time, also not in a filter", (text) => {
  expect(parseRfc3339(text)).toBeNull();
  for (const operator of [">=", "<"]) expect(() => parseAuditFilter(`event_time ${operator} "${text}"`)).toThrow(/event_time must be/);
});

test("claims beyond the year 9999 are not ours", () => {
  const claims = { iss: "https://keys.example", jti: "1", sub: "k", key_id: "k", tenant: "default", iat: 0, nbf: 0, exp: 253_402_300_799 };
  expect(factsOf(claims)).not.toBeNull();
  for (const name of ["iat", "nbf", "exp"]) expect(factsOf({ ...claims, [name]: 253_402_300_800 }), name).toBeNull();
});
