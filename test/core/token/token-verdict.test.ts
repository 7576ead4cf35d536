import { expect, test } from "vitest";
import { claimsOf, factsOf } from "../../../src/core/token/claims.ts";
import { unnarrowed } from "../../../src/core/token/facts.ts";
import { isRootOf } from "../../../src/core/token/token-verdict.ts";
import { keyRecord } from "../../support/key-record.ts";
import { tokenFacts } from "../../support/token-facts.ts";

const keyId = "0123456789abcdef".repeat(4);
const createTimeMs = 1_800_000_000_300;
const record = (firstRevision: number) => keyRecord({ kind: "imported", keyId, firstRevision, revision: firstRevision + 5, createTimeMs });
const token = (rootFirstRevision: number | null, issueTimeMs = 1_800_000_000_000) => ({
  facts: tokenFacts({ rootKeyId: keyId, rootFirstRevision, issueTimeMs }),
  narrowing: unnarrowed,
});

test("a token belongs to the key it was derived from, not to a later key with the same id, even within one second", () => {
  expect(isRootOf(token(1), record(1))).toBe(true);
  expect(isRootOf(token(1), record(3))).toBe(false);
  expect(isRootOf(token(3), record(1))).toBe(false);
  // The store has forgotten the earlier key.
  expect(isRootOf(token(1, 1_799_999_999_000), record(1))).toBe(false);
});

test("keys and tokens of releases without first revisions still match, and a later key does not", () => {
  expect(isRootOf(token(null), record(1))).toBe(true);
  expect(isRootOf(token(null), record(0))).toBe(true);
  expect(isRootOf(token(0), record(0))).toBe(true);
  expect(isRootOf(token(0), record(3))).toBe(false);
  expect(isRootOf(token(null, 1_799_999_999_000), record(3))).toBe(false);
});

test("the claim is read as written, and a token with another kind of value is not ours", () => {
  for (const rootFirstRevision of [null, 0, 1, 2 ** 40]) {
    const facts = tokenFacts({ rootFirstRevision });
    expect(factsOf(claimsOf(facts))).toEqual(facts);
  }
  for (const value of ["1", 1.5, -1, true, [1], 2 ** 60])
    expect(factsOf({ ...claimsOf(tokenFacts()), key_first_revision: value })).toBeNull();
});
