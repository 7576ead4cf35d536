import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseAddress } from "../../../src/core/address.ts";
import { deriveSubkeys } from "../../../src/core/subkeys.ts";
import { type ReadToken, type TokenFacts, unnarrowed } from "../../../src/core/token/facts.ts";
import { mintMacaroon, narrowMacaroon, readMacaroon } from "../../../src/core/token/macaroon.ts";
import { addCaveat } from "../../../src/core/token/macaroon-chain.ts";
import { type Macaroon, macaroonFromText, macaroonToText, maxCaveatBytes, maxCaveats } from "../../../src/core/token/macaroon-format.ts";
import { decideToken } from "../../../src/core/token/token-verdict.ts";
import { runCount } from "../../support/run-count.ts";

const nowMs = Date.UTC(2026, 0, 1);
const salt = randomBytes(32);
const secrets = { current: "current-secret-0123456789-0123456789", retired: [] };
const rootKeys = deriveSubkeys(secrets, "macaroon-root", salt);
const facts: TokenFacts = {
  tokenId: "01KAS4D9N4XJ8M2V6T0QZ3R7YC",
  chain: ["01KAS4D9N4XJ8M2V6T0QZ3R7YA"],
  issuer: "https://keys.example",
  tenant: "default",
  rootKeyId: "01KAS4D9N4XJ8M2V6T0QZ3R7YB",
  rootFirstRevision: null,
  actorId: "user 123",
  scopes: ["read", "write"],
  metadata: { team: "é", list: [1, null] },
  customClaims: { plan: "pro" },
  issueTimeMs: nowMs,
  notBeforeMs: nowMs,
  expireTimeMs: nowMs + 3_600_000,
};
const minted = mintMacaroon(rootKeys[0], facts);
const read = (text: string) => readMacaroon(rootKeys, text);

test("a macaroon contains exactly what its issuer stated", () => {
  expect(minted).toMatch(/^mc_v1_[\w-]+$/);
  expect(read(minted)).toEqual({ facts, narrowing: unnarrowed });
});

test("the largest possible token fits", () => {
  const scopes = Array.from({ length: 100 }, (_, index) => `${"s".repeat(253)}${100 + index}`);
  const large = { ...facts, scopes, metadata: { text: "m".repeat(4085) }, customClaims: { text: "c".repeat(4085) } };
  const text = mintMacaroon(rootKeys[0], large);
  expect(read(text)).toEqual({ facts: large, narrowing: unnarrowed });
  expect(read(narrowMacaroon(text, ["scope = read"]) as string)).toMatchObject({ facts: large });
});

describe("who can sign", () => {
  const mintedUnder = (current: string, ofSalt: Uint8Array) =>
    mintMacaroon(deriveSubkeys({ current, retired: [] }, "macaroon-root", ofSalt)[0], facts);

  test("neither the server secret alone nor the store's salt alone is enough", () => {
    expect(read(mintedUnder(secrets.current, salt))).toMatchObject({ facts });
    expect(read(mintedUnder(secrets.current, randomBytes(32)))).toBe("signature_invalid");
    expect(read(mintedUnder("another-secret-0123456789-0123456789", salt))).toBe("signature_invalid");
  });
});

describe("a holder", () => {
  const narrowed = narrowMacaroon(minted, ["scope = read", "time < 2026-01-01T00:05:00Z", "ip in 10.0.0.0/8"]) as string;

  test("narrows without a secret, as this service does", () => {
    const narrowing = { ...unnarrowed, scopes: ["read"], expireTimeMs: nowMs + 300_000, clientCidrs: [["10.0.0.0/8"]] };
    expect(read(narrowed)).toEqual({ facts, narrowing });
  });

  test.each(["is_admin = true", "scope = read\nscope = admin", "actor_id = root", "metadata = {}", ""])(
    "that adds %j gets invalid_format",
    (caveat) => expect(read(narrowMacaroon(minted, [caveat]) as string)).toBe("invalid_format"),
  );

  test("cannot exceed the bounds on caveats", () => {
    expect(narrowMacaroon(minted, Array(maxCaveats).fill("scope = read"))).not.toBeNull();
    expect(narrowMacaroon(minted, Array(maxCaveats + 1).fill("scope = read"))).toBeNull();
    expect(narrowMacaroon(minted, ["x".repeat(maxCaveatBytes + 1)])).toBeNull();
    expect(narrowMacaroon(minted, Array(3).fill("x".repeat(maxCaveatBytes)))).toBeNull();
    expect(narrowMacaroon("mc_v1_", ["scope = read"])).toBeNull();
  });

  test("that adds the issuer's own statements as caveats changes no fact", () => {
    const macaroon = macaroonFromText(minted) as Macaroon;
    expect(read(macaroonToText(addCaveat(macaroon, macaroon.identifier)))).toBe("invalid_format");
    const promoted = { ...addCaveat(macaroon, macaroon.identifier), identifier: Buffer.from('{"scope":"admin"}') };
    expect(read(macaroonToText(promoted))).toBe("signature_invalid");
  });

  const scopes = fc.subarray(["read", "write", "admin"], { minLength: 1 }).map((words) => `scope = ${words.join(" ")}`);
  const known = fc.oneof(
    scopes,
    fc.constantFrom("time < 2026-01-01T00:05:00Z", "time < 9999-12-31T23:59:59Z", "time > 2020-01-01T00:00:00Z"),
    fc.constantFrom("ip in 0.0.0.0/0 ::/0", "ip in 10.0.0.0/8", "audience = a", `actor_id = ${facts.actorId}`),
  );
  const garbage = fc.oneof(
    fc.constantFrom(...Object.entries(facts).map(([name, value]) => `${name} = ${JSON.stringify(value)}`)),
    fc.constantFrom("key_id = x", "scope =", "time < never"),
    fc.string({ unit: "binary", maxLength: 40 }),
  );
  const words = fc.oneof(known, garbage);
  const sequences = fc.oneof(fc.array(known, { maxLength: 8 }), fc.array(words, { maxLength: 8 }));

  test("changes no fact and adds no permission, with any caveats in any order", () => {
    fc.assert(
      fc.property(sequences, (caveats) => {
        const found = read(narrowMacaroon(minted, caveats) as string);
        if (found === "invalid_format") return;
        const { facts: after, narrowing } = found as ReadToken;
        expect(after).toEqual(facts);
        // Every caveat is enforced, whatever other caveats there are.
        for (const caveat of caveats) {
          if (caveat === "scope = read") expect(narrowing.scopes?.filter((scope) => scope !== "read")).toEqual([]);
          if (caveat === "time < 2026-01-01T00:05:00Z") expect(narrowing.expireTimeMs).toBeLessThanOrEqual(nowMs + 300_000);
          if (caveat === "ip in 10.0.0.0/8") expect(narrowing.clientCidrs).toContainEqual(["10.0.0.0/8"]);
          if (caveat === "audience = a") expect(narrowing.audiences).toContain("a");
          expect(caveat).toMatch(/^(scope =|time [<>]|ip in|audience =|actor_id =) ./);
        }
      }),
      { numRuns: runCount(500) },
    );
  });

  test("gains nothing with any caveats", () => {
    const circumstances = fc.record({
      nowMs: fc.constantFrom(nowMs - 1, nowMs, nowMs + 299_999, nowMs + 300_000, facts.expireTimeMs - 1, facts.expireTimeMs),
      endUserAddress: fc.constantFrom("10.0.0.1", "192.0.2.1", "::1", "").map((text) => () => parseAddress(text)),
      requiredScopes: fc.subarray(["read", "write", "admin"]),
      audience: fc.constantFrom("a", "b", ""),
      clockSkewMs: fc.constant(0),
    });
    let accepted = 0;
    fc.assert(
      fc.property(sequences, circumstances, (caveats, at) => {
        const held = read(minted) as ReadToken;
        const found = read(narrowMacaroon(minted, caveats) as string);
        if (found === "invalid_format") return;
        const verdict = decideToken(found as ReadToken, null, at);
        if (!verdict.isValid) return;
        accepted += 1;
        const without = decideToken(held, null, at);
        expect(without).toMatchObject({ isValid: true });
        expect(without.record?.scopes).toEqual(expect.arrayContaining([...verdict.record.scopes]));
        expect(verdict.record.expireTimeMs).toBeLessThanOrEqual(facts.expireTimeMs);
        expect({ ...verdict.record, scopes: [], expireTimeMs: null }).toEqual({ ...without.record, scopes: [], expireTimeMs: null });
      }),
      { numRuns: runCount(500) },
    );
    expect(accepted).toBeGreaterThan(20);
  });

  test("cannot remove a caveat, move it or edit it", () => {
    const three = macaroonFromText(narrowed) as Macaroon;
    const others = fc.oneof(
      fc.subarray([...three.caveats], { maxLength: 2 }),
      fc
        .shuffledSubarray([...three.caveats], { minLength: 3 })
        .filter((caveats) => caveats[0] !== three.caveats[0] || caveats[1] !== three.caveats[1]),
      fc.tuple(fc.nat(2), words).map(([at, word]) => three.caveats.map((caveat, index) => (index === at ? Buffer.from(word) : caveat))),
    );
    fc.assert(
      fc.property(others, (caveats) => {
        fc.pre(!caveats.every((caveat, index) => Buffer.from(caveat).equals(three.caveats[index] as Uint8Array)) || caveats.length < 3);
        expect(read(macaroonToText({ ...three, caveats }))).toBe("signature_invalid");
      }),
      { numRuns: runCount(500) },
    );
  });
});
