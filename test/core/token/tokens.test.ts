import { expect, test } from "vitest";
import { deriveSubkeys } from "../../../src/core/subkeys.ts";
import { unnarrowed } from "../../../src/core/token/facts.ts";
import { readJwkSets, type TokenKeys } from "../../../src/core/token/jwk-set.ts";
import { createTokens } from "../../../src/core/token/tokens.ts";
import { jwkSet, privateJwk } from "../../support/jwks.ts";
import { tokenFacts } from "../../support/token-facts.ts";

const facts = tokenFacts();
const nowMs = facts.issueTimeMs;
const [first, second] = [await privateJwk(), await privateJwk()];
const keys = await readJwkSets([jwkSet(first, second)]);
const onlySecond = await readJwkSets([jwkSet(second)]);
const secrets = { current: "s".repeat(32), retired: [] };
const macaroonKeys = deriveSubkeys(secrets, "macaroon-root");

function setup(options: { issuer?: string; macaroonKeys?: typeof macaroonKeys } = {}) {
  const now: { keys: TokenKeys } = { keys };
  const tokens = createTokens({ issuer: facts.issuer, macaroonKeys, ...options, keys: () => now.keys });
  return { now, tokens };
}

test("a valid signature is not checked again as long as the keys stay the same", async () => {
  const { now, tokens } = setup();
  const jwt = await tokens.mintJwt(facts);
  expect(tokens.read("default", "jwt", jwt, nowMs)).toMatchObject({ type: "jwt", keyIds: [facts.rootKeyId], token: { facts } });
  // No signature can be checked with these.
  now.keys = { ...keys, byKid: new Map() };
  expect(tokens.read("default", "jwt", jwt, nowMs)).toMatchObject({ token: { facts } });
  expect(tokens.read("default", "jwt", `${jwt.slice(0, -4)}AAAA`, nowMs)).toBe("signature_invalid");
  now.keys = await readJwkSets([jwkSet(second)]);
  expect(tokens.read("default", "jwt", jwt, nowMs)).toBe("signature_invalid");
  now.keys = keys;
  expect(tokens.read("default", "jwt", jwt, nowMs)).toMatchObject({ token: { facts } });
});

test("a macaroon ends with its server secret, whether it was seen before or not", () => {
  const expireTimeMs = nowMs + 1000;
  const retired = { current: "n".repeat(32), retired: [{ secret: secrets.current, expireTimeMs }] };
  const { tokens } = setup({ macaroonKeys: deriveSubkeys(retired, "macaroon-root") });
  const old = setup().tokens.mintMacaroon(facts, unnarrowed) as string;
  const current = tokens.mintMacaroon(facts, unnarrowed) as string;
  const claim = (text: string, atMs: number) => tokens.read("default", "macaroon", text, atMs);
  for (const text of [old, current]) expect(claim(text, expireTimeMs - 1)).toMatchObject({ type: "macaroon", token: { facts } });
  expect(claim(old, expireTimeMs)).toBe("signature_invalid");
  expect(claim(current, expireTimeMs)).toMatchObject({ token: { facts } });
});

test("a macaroon has one identity in all its text forms, and is checked once", () => {
  const { tokens } = setup();
  const text = tokens.mintMacaroon(facts, unnarrowed) as string;
  const bytes = Buffer.from(text.slice("mc_v1_".length), "base64url");
  const emptyLocation = Buffer.concat([Buffer.of(2, 1, 0), bytes.subarray(1)]);
  for (const form of [bytes, emptyLocation]) {
    for (const encoding of ["base64url", "base64"] as const) {
      const claim = tokens.read("default", "macaroon", `mc_v1_${form.toString(encoding)}`, nowMs);
      expect(claim).toMatchObject({ token: { facts } });
    }
  }
  expect(tokens.signatures).toEqual({ checked: 1, remembered: 3 });
});

test("a token that names none of the keys is foreign, and one that names a key is not, whatever its signature", async () => {
  const expired = { current: "n".repeat(32), retired: [{ secret: secrets.current, expireTimeMs: 0 }] };
  const { tokens } = setup({ macaroonKeys: deriveSubkeys(expired, "macaroon-root") });
  const { tokens: strangers } = setup({ macaroonKeys: deriveSubkeys({ current: "x".repeat(32), retired: [] }, "macaroon-root") });
  const jwt = await tokens.mintJwt(facts);
  expect(tokens.isForeign("jwt", `${jwt.slice(0, -4)}AAAA`)).toBe(false);
  const { tokens: bySecond } = { tokens: createTokens({ issuer: facts.issuer, macaroonKeys, keys: () => onlySecond }) };
  expect(bySecond.isForeign("jwt", jwt)).toBe(true);
  // Made here, under a secret that has expired since.
  const ended = setup().tokens.mintMacaroon(facts, unnarrowed) as string;
  expect(tokens.read("default", "macaroon", ended, nowMs)).toBe("signature_invalid");
  expect(tokens.isForeign("macaroon", ended)).toBe(false);
  expect(strangers.isForeign("macaroon", ended)).toBe(true);
});

test("a token of another tenant or issuer is not found, and a token of one kind is never read as the other", async () => {
  const { tokens } = setup();
  const tokenTexts = { jwt: await tokens.mintJwt(facts), macaroon: tokens.mintMacaroon(facts, unnarrowed) as string };
  const { tokens: others } = setup({ issuer: "https://other.example" });
  for (const type of ["jwt", "macaroon"] as const) {
    expect(tokens.read("other", type, tokenTexts[type], nowMs)).toBe("not_found");
    expect(others.read("default", type, tokenTexts[type], nowMs)).toBe("not_found");
  }
  expect(tokens.read("default", "jwt", tokenTexts.macaroon, nowMs)).toBe("invalid_format");
  expect(tokens.read("default", "macaroon", tokenTexts.jwt, nowMs)).toBe("invalid_format");
});
