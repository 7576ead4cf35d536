import { expect, test } from "vitest";
import { deriveSubkeys } from "../../../src/core/subkeys.ts";
import { mintMacaroon } from "../../../src/core/token/macaroon.ts";
import { createTokens } from "../../../src/core/token/tokens.ts";
import { tokenFacts } from "../../support/token-facts.ts";

const nowMs = 1_800_000_000_000;
const current = "current-secret-0123456789-0123456789";
const retired = "retired-secret-0123456789-0123456789";
const facts = tokenFacts();
const noKeys = () => {
  throw new Error("macaroons need no signing keys");
};

test("a retired secret's expiry ends its macaroons, also those whose signature is known", () => {
  const secrets = { current, retired: [{ secret: retired, expireTimeMs: nowMs }] };
  const macaroonKeys = deriveSubkeys(secrets, "macaroon-root");
  const tokens = createTokens({ issuer: facts.issuer, keys: noKeys, macaroonKeys });
  const old = mintMacaroon(deriveSubkeys({ current: retired, retired: [] }, "macaroon-root")[0], facts);
  const claim = (text: string, atMs: number) => tokens.claim(facts.tenant, "macaroon", text, atMs);
  const claimed = { type: "macaroon", keyIds: [facts.rootKeyId], token: { facts } };
  for (let count = 0; count < 2; count += 1) expect(claim(old, nowMs - 1)).toMatchObject(claimed);
  expect(claim(old, nowMs)).toBe("signature_invalid");
  expect(claim(mintMacaroon(macaroonKeys[0], facts), nowMs)).toMatchObject(claimed);
});

test("a macaroon of another tenant or issuer is nobody's", () => {
  const macaroonKeys = deriveSubkeys({ current, retired: [] }, "macaroon-root");
  const tokens = createTokens({ issuer: facts.issuer, keys: noKeys, macaroonKeys });
  expect(tokens.claim("other", "macaroon", mintMacaroon(macaroonKeys[0], facts), nowMs)).toBe("not_found");
  expect(tokens.claim(facts.tenant, "macaroon", mintMacaroon(macaroonKeys[0], { ...facts, issuer: "https://other" }), nowMs)).toBe(
    "not_found",
  );
});
