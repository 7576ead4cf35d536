import { createHash, createHmac, hkdfSync, randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createCredentials, digestOf, parseSha256, rawKeyProblem } from "../../src/core/credential.ts";
import { createUlid } from "../../src/core/ulid.ts";

const prefixes = { secret: "kw", public: "kw_pub", retired: ["old"] };
const currentSecret = "current-secret-0123456789-0123456789";
const retiredSecret = "retired-secret-0123456789-0123456789";
const credentials = createCredentials({ current: currentSecret, retired: [] }, prefixes, randomBytes);
const nowMs = Date.UTC(2026, 0, 1);
const keyId = createUlid(nowMs, randomBytes);

describe("issued keys", () => {
  test("have the published shape, are recognised by it, and have the digest of the whole string", () => {
    const key = credentials.mint("default", keyId, "secret");
    expect(key).toMatch(/^kw_v1_[0-9A-HJKMNP-TV-Z]{26}_[0-9A-Za-z]{49}$/);
    expect(credentials.parse("default", key, nowMs)).toEqual({ type: "issued", keyIds: [keyId], digest: digestOf(key) });
    expect(digestOf(key)).toBe(createHash("sha256").update(key).digest("base64url"));
    expect(credentials.mint("default", keyId, "public")).toMatch(/^kw_pub_v1_/);
  });

  test("with any character changed are forged, or are not issued keys", () => {
    const key = credentials.mint("default", keyId, "secret");
    fc.assert(
      fc.property(fc.nat(key.length - 1), fc.constantFrom(..."0123456789ABCXYZabcxyz_-. "), (index, character) => {
        fc.pre(key[index] !== character);
        const damaged = key.slice(0, index) + character + key.slice(index + 1);
        expect(credentials.parse("default", damaged, nowMs).type).not.toBe("issued");
      }),
      { numRuns: 2000 },
    );
  });

  test("of another installation, with a correct checksum, can be imported keys", () => {
    const stranger = createCredentials({ current: "another-secret-0123456789-0123456789", retired: [] }, prefixes, randomBytes);
    const key = stranger.mint("default", keyId, "secret");
    const keyIds = credentials.importedKeyIds("default", createHash("sha256").update(key).digest());
    const unlessImported = { kind: "issued", code: "not_found" };
    expect(credentials.parse("default", key, nowMs)).toEqual({ type: "imported", keyIds, unlessImported });
    const last = key.endsWith("0") ? "1" : "0";
    expect(credentials.parse("default", key.slice(0, -1) + last, nowMs)).toEqual({ type: "forged" });
  });

  test("are known by what is left of them; keys of other systems are not, or only if an id exists", () => {
    const key = credentials.mint("default", keyId, "secret");
    const tail = key.slice(-49);
    const left = (text: string) => credentials.damagedKey("default", text);
    for (const text of [key.slice(0, -1), key.slice(0, 33), `${key}0`, `kw_v1_${keyId}_${"0f".repeat(16)}`])
      expect(left(text)).toEqual({ keyId });
    const damagedIds = [keyId.slice(1), `x${keyId}`, `${keyId}0`, `${keyId.slice(0, 5)}_${keyId.slice(6)}`, `old${keyId.slice(3)}`];
    expect(damagedIds.map((id) => left(`old_v1_${id}_${tail}`))).toEqual([...Array(4).fill({ keyId: null }), null]);
    for (const id of ["user42", "a1b2c3d4", "a1b2c3d4-e5f6-4a1b-8c3d-9e", ""]) expect(left(`kw_v1_${id}_${tail}`)).toBeNull();
    for (const text of [key, `other_v1_${keyId}_`, keyId, `${keyId}_${tail}`]) expect(left(text)).toBeNull();
  });

  test("of one tenant are not issued keys of another, even after they were seen", () => {
    const key = credentials.mint("default", keyId, "secret");
    expect(credentials.parse("default", key, nowMs).type).toBe("issued");
    expect(credentials.parse("default", key, nowMs).type).toBe("issued");
    expect(credentials.parse("other", key, nowMs).type).toBe("imported");
  });

  test("with a foreign prefix can be imported keys; with a retired prefix they are ours", () => {
    const asOld = createCredentials(
      { current: currentSecret, retired: [] },
      { secret: "old", public: "old_pub", retired: [] },
      randomBytes,
    );
    expect(credentials.parse("default", asOld.mint("default", keyId, "secret"), nowMs).type).toBe("issued");
    expect(credentials.parse("default", asOld.mint("default", keyId, "public"), nowMs).type).toBe("imported");
  });

  test("of a retired secret are valid until it expires, or permanently if it has no expiry", () => {
    const before = createCredentials({ current: retiredSecret, retired: [] }, prefixes, randomBytes);
    const key = before.mint("default", keyId, "secret");
    const withRetired = (expireTimeMs: number | null) =>
      createCredentials({ current: currentSecret, retired: [{ secret: retiredSecret, expireTimeMs }] }, prefixes, randomBytes);
    expect(withRetired(nowMs + 1).parse("default", key, nowMs).type).toBe("issued");
    const expiring = withRetired(nowMs + 1);
    expect([nowMs, nowMs + 1].map((atMs) => expiring.parse("default", key, atMs).type)).toEqual(["issued", "forged"]);
    expect(withRetired(nowMs).parse("default", key, nowMs).type).toBe("forged");
    expect(withRetired(null).parse("default", key, nowMs).type).toBe("issued");
  });
});

describe("other strings", () => {
  test.each([
    ["eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0.c2ln", "jwt"],
    ["mc_v1_AgEDYWJj", "macaroon"],
    ["sk_live_abc123", "imported"],
    ["a.b.c", "imported"],
    ["kw_v1_short_tail", "imported"],
    ["", "unreadable"],
    [" sk_live", "unreadable"],
    ["sk_live\n", "unreadable"],
    ["\u0000sk", "unreadable"],
    ["x".repeat(4097), "unreadable"],
    ["é".repeat(2049), "unreadable"],
    ["\ud800", "unreadable"],
  ])("%j is %s", (text, type) => {
    expect(credentials.parse("default", text, nowMs).type).toBe(type);
  });

  test("an imported key's id is HMAC-SHA-512/256 over tenant, zero byte and SHA-256 of the raw key, with a separate subkey", () => {
    const subkey = Buffer.from(hkdfSync("sha256", currentSecret, "", "keywright/v1/import", 32));
    const digest = createHash("sha256").update("sk_live_abc").digest();
    const expected = createHmac("sha512-256", subkey)
      .update(Buffer.concat([Buffer.from("default\0"), digest]))
      .digest("hex");
    expect(credentials.parse("default", "sk_live_abc", nowMs)).toEqual({ type: "imported", keyIds: [expected] });
  });

  test("are looked up under every listed secret, the current one first, even after a retired one expired", () => {
    const both = createCredentials(
      { current: currentSecret, retired: [{ secret: retiredSecret, expireTimeMs: 0 }] },
      prefixes,
      randomBytes,
    );
    const parsed = both.parse("default", "sk_live_abc", nowMs);
    const old = createCredentials({ current: retiredSecret, retired: [] }, prefixes, randomBytes).parse("default", "sk_live_abc", nowMs);
    const current = credentials.parse("default", "sk_live_abc", nowMs);
    if (parsed.type !== "imported" || old.type !== "imported" || current.type !== "imported") throw new Error("not imported");
    expect(parsed.keyIds).toEqual([...current.keyIds, ...old.keyIds]);
  });

  test("an imported key has the same ids by its digest", () => {
    const byDigest = credentials.importedKeyIds("default", createHash("sha256").update("sk_live_abc").digest());
    expect(credentials.parse("default", "sk_live_abc", nowMs)).toEqual({ type: "imported", keyIds: byDigest });
    expect(credentials.importedKeyIds("other", createHash("sha256").update("sk_live_abc").digest())).not.toEqual(byDigest);
  });

  test("parsing never throws", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 100 }), (text) => void credentials.parse("default", text, nowMs)));
  });
});

test("rawKeyProblem accepts 1 to 4096 bytes without white space or control characters at the ends", () => {
  expect(rawKeyProblem("a b")).toBeNull();
  expect(rawKeyProblem("x".repeat(4096))).toBeNull();
  expect(rawKeyProblem("")).toBe("must not be empty");
  expect(rawKeyProblem("\u2003x")).toMatch(/white space/);
});

test("parseSha256 reads only hex and base64 of either alphabet, padded or not", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (sha256) => {
      const bytes = Buffer.from(sha256);
      const [hex, base64, base64url] = [bytes.toString("hex"), bytes.toString("base64"), bytes.toString("base64url")];
      for (const text of [hex, hex.toUpperCase(), base64, base64.slice(0, -1), base64url, `${base64url}=`]) {
        expect(parseSha256(text)).toEqual(bytes);
      }
    }),
  );
  const base64 = `${"A".repeat(42)}E`;
  for (const text of [
    "",
    "x",
    "0".repeat(63),
    "0".repeat(65),
    `${base64.slice(0, -1)}B`,
    `${base64}==`,
    `+-${base64.slice(2)}`,
    `${base64}\n`,
  ]) {
    expect(parseSha256(text), text).toBeNull();
  }
});
