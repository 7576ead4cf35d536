import { createHmac, createSecretKey, randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addCaveat, isSignedBy, signIdentifier } from "../../../src/core/token/macaroon-chain.ts";
import {
  canonicalMacaroonText,
  type Macaroon,
  macaroonFromText,
  macaroonToText,
  maxCaveatBytes,
  maxCaveats,
  maxMacaroonLength,
} from "../../../src/core/token/macaroon-format.ts";
import { runCount } from "../../support/run-count.ts";

const rootKey = createSecretKey(randomBytes(32));
const [identifier, ...caveats] = ["an identifier", "time < 2026-01-01T00:00:00Z", "scope = read"].map((text) => Buffer.from(text));
const macaroon = caveats.reduce<Macaroon>(addCaveat, signIdentifier(rootKey, identifier as Buffer));
const text = macaroonToText(macaroon);

function read(bytes: Uint8Array): Macaroon | null {
  return macaroonFromText(`mc_v1_${Buffer.from(bytes).toString("base64url")}`);
}

/** The root key that `macaroon_create` of libmacaroons derives from a text. */
function rootKeyOf(secret: string) {
  return createSecretKey(
    createHmac("sha256", Buffer.from("macaroons-key-generator".padEnd(32, "\0")))
      .update(secret)
      .digest(),
  );
}

const base64 = text.slice("mc_v1_".length);
const wrongPadding = base64.length % 4 === 2 ? "=" : "==";

/** A macaroon whose text differs between the alphabets and needs padding. */
function awkwardMacaroon(): Macaroon {
  for (;;) {
    const made = signIdentifier(rootKey, randomBytes(40));
    const [, base64 = ""] = macaroonToText(made).split("mc_v1_");
    if (base64.includes("-") && base64.includes("_") && base64.length % 4 !== 0) return made;
  }
}

describe("one macaroon in the text forms of all libraries", () => {
  const made = awkwardMacaroon();
  const canonical = macaroonToText(made);
  const bytes = Buffer.from(canonical.slice("mc_v1_".length), "base64url");
  const emptyLocation = Buffer.concat([Buffer.of(2, 1, 0), bytes.subarray(1)]);
  const texts = [bytes, emptyLocation].flatMap((form) => {
    const padded = form.toString("base64");
    const urlSafe = padded.replaceAll("+", "-").replaceAll("/", "_");
    return [padded, urlSafe, padded.replaceAll("=", ""), urlSafe.replaceAll("=", "")].map((text) => `mc_v1_${text}`);
  });

  test.each(texts)("%s is read, and has one identity", (text) => {
    expect(macaroonFromText(text)).toEqual(made);
    expect(canonicalMacaroonText(text)).toBe(canonical);
  });

  test("two alphabets in one text are refused", () => {
    const mixed = canonical.replace("-", "+");
    expect(macaroonFromText(mixed)).toBeNull();
  });
});

/** From test/unit/*.vtest of libmacaroons, and from the README that it shares with pymacaroons. */
describe("the vectors of libmacaroons", () => {
  const one = "AgETaHR0cDovL2V4YW1wbGUub3JnLwIFa2V5aWQAAhRhY2NvdW50ID0gMzczNTkyODU1OQAABiD1SAf23G7fiL8PcwazgiVio2JTPb9zObphdl2kvSWdhw";
  const two =
    "AgETaHR0cDovL2V4YW1wbGUub3JnLwIFa2V5aWQAAhRhY2NvdW50ID0gMzczNTkyODU1OQACDHVzZXIgPSBhbGljZQAABiBL6WfNHqDGsmuvakqU7psFsViG2guoXoxCqTyNDhJe_A";

  test.each([
    [one, ["account = 3735928559"]],
    [two, ["account = 3735928559", "user = alice"]],
  ])("binary of version 2", (vector, expected) => {
    // Without the location, which no signature covers.
    const bytes = Buffer.from(Buffer.from(vector, "base64url").toString("latin1").replace("\x01\x13http://example.org/", ""), "latin1");
    expect(macaroonFromText(`mc_v1_${vector}`)).toBeNull();
    const text = `mc_v1_${bytes.toString("base64url")}`;
    const read = macaroonFromText(text) as Macaroon;
    expect(Buffer.from(read.identifier).toString()).toBe("keyid");
    expect(read.caveats.map((caveat) => Buffer.from(caveat).toString())).toEqual(expected);
    expect(isSignedBy(rootKeyOf("this is the key"), read)).toBe(true);
    expect(isSignedBy(rootKeyOf("this is another key"), read)).toBe(false);
    // Ours is identical.
    const made = expected.reduce<Macaroon>(
      (made, caveat) => addCaveat(made, Buffer.from(caveat)),
      signIdentifier(rootKeyOf("this is the key"), Buffer.from("keyid")),
    );
    expect(macaroonToText(made)).toBe(text);
  });

  test("signatures along the chain", () => {
    const bank = signIdentifier(rootKeyOf("this is our super secret key; only we should know it"), Buffer.from("we used our secret key"));
    expect(Buffer.from(bank.signature).toString("hex")).toBe("e3d9e02908526c4c0039ae15114115d97fdd68bf2ba379b342aaf0f617d0552f");
    const { signature } = addCaveat(bank, Buffer.from("test = caveat"));
    expect(Buffer.from(signature).toString("hex")).toBe("197bac7a044af33332865b9266e26d493bdd668a660e44d88ce1a998c23dbd67");
  });

  test("a third-party caveat, as go-macaroon writes it, is refused", () => {
    const withThirdParty =
      "AgELbXkgbG9jYXRpb24CDW15IGlkZW50aWZpZXIAAglmcCBjYXZlYXQAAQt0cCBsb2NhdGlvbgIJdHAgY2F2ZWF0BEgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACn8yDEet8ud-825gOjM0pZOVE8_HpV6Zqxac-kl0BYToVaY64VfiwHj5rWgBREOkAAAYgSDs4gcmZDlCZy2aV2jFk2qZNpgQXvK-encTAqZaPZjY";
    expect(macaroonFromText(`mc_v1_${withThirdParty}`)).toBeNull();
  });
});

describe("the format", () => {
  test("is decoded as it was encoded, with lengths below and above one and two bytes", () => {
    for (const length of [0, 1, 127, 128, 129, 16_383, 16_384]) {
      const made = addCaveat(signIdentifier(rootKey, randomBytes(length)), randomBytes(length));
      expect(macaroonFromText(macaroonToText(made))).toEqual(made);
    }
  });

  test.each<[string, (bytes: Buffer) => Uint8Array]>([
    ["another version", (bytes) => bytes.fill(1, 0, 1)],
    ["a byte at the end", (bytes) => Buffer.concat([bytes, Buffer.of(0)])],
    ["the signature twice", (bytes) => Buffer.concat([bytes, bytes.subarray(-34)])],
    ["no identifier", (bytes) => Buffer.concat([Buffer.of(2), bytes.subarray(bytes.indexOf(0))])],
    ["two identifiers", (bytes) => Buffer.concat([Buffer.of(2, 2, 1, 65), bytes.subarray(1)])],
    [
      "the location after the identifier",
      (bytes) => Buffer.concat([bytes.subarray(0, bytes.indexOf(0)), Buffer.of(1, 0), bytes.subarray(bytes.indexOf(0))]),
    ],
    ["a location, which is not signed", (bytes) => Buffer.concat([Buffer.of(2, 1, 1, 65), bytes.subarray(1)])],
    ["two locations", (bytes) => Buffer.concat([Buffer.of(2, 1, 0, 1, 0), bytes.subarray(1)])],
    ["an unknown field", (bytes) => Buffer.concat([Buffer.of(2, 3, 0), bytes.subarray(1)])],
    ["a length in more bytes than it needs", (bytes) => Buffer.concat([Buffer.of(2, 1, 0x80, 0), bytes.subarray(1)])],
    [
      "a length without an end",
      (bytes) => Buffer.concat([Buffer.of(2, 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1), bytes.subarray(1)]),
    ],
    ["a length beyond the end", () => Buffer.of(2, 2, 0xff, 0x7f, 65)],
    ["a caveat with a location", (bytes) => insertBeforeSignature(bytes, Buffer.of(1, 1, 65, 2, 1, 65, 0))],
    ["a caveat with a verification id", (bytes) => insertBeforeSignature(bytes, Buffer.of(2, 1, 65, 4, 1, 65, 0))],
    ["no end of the caveats", (bytes) => Buffer.concat([bytes.subarray(0, -35), bytes.subarray(-34)])],
    ["a signature of 31 bytes", (bytes) => Buffer.concat([bytes.subarray(0, -34), Buffer.of(6, 31), bytes.subarray(-31)])],
    ["one caveat too many", (bytes) => insertBeforeSignature(bytes, Buffer.alloc(4 * (maxCaveats - 1), Buffer.of(2, 1, 65, 0)))],
    [
      "a caveat that is too long",
      (bytes) =>
        insertBeforeSignature(
          bytes,
          Buffer.concat([Buffer.of(2, ...varint(maxCaveatBytes + 1)), Buffer.alloc(maxCaveatBytes + 1, 65), Buffer.of(0)]),
        ),
    ],
  ])("refuses %s", (_name, damage) => {
    const bytes = Buffer.from(text.slice("mc_v1_".length), "base64url");
    expect(read(bytes)).not.toBeNull();
    expect(read(damage(bytes))).toBeNull();
  });

  test("accepts the maximum number of caveats, and an empty location, as pymacaroons writes it", () => {
    const bytes = Buffer.from(text.slice("mc_v1_".length), "base64url");
    expect(read(insertBeforeSignature(bytes, Buffer.alloc(4 * (maxCaveats - 2), Buffer.of(2, 1, 65, 0))))?.caveats).toHaveLength(
      maxCaveats,
    );
    expect(read(Buffer.concat([Buffer.of(2, 1, 0), bytes.subarray(1)]))).toEqual(macaroon);
  });

  test.each([
    "mc_v1_",
    "mc_v1_Ag",
    `${text}===`,
    `${text}${wrongPadding}`,
    `${text}+/`,
    `${text} `,
    text.replace("mc_v1_", "mc_v2_"),
    text.slice(6),
    `${text.slice(0, -1)}+`,
    "",
  ])("refuses the text %j", (other) => expect(macaroonFromText(other)).toBeNull());

  test("refuses texts that are too long, whatever their content", () => {
    const long = signIdentifier(rootKey, Buffer.alloc(49_200));
    expect(macaroonToText(long).length).toBeGreaterThan(maxMacaroonLength);
    expect(macaroonFromText(macaroonToText(long))).toBeNull();
  });

  test("never reads a damaged text as the original, and never throws", () => {
    const bytes = Buffer.from(text.slice("mc_v1_".length), "base64url");
    const damages = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.nat(bytes.length - 1).map((length) => bytes.subarray(0, length)),
      fc
        .tuple(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }))
        .map(([at, flip]) => bytes.map((byte, i) => (i === at ? byte ^ flip : byte))),
      fc
        .tuple(fc.nat(bytes.length), fc.uint8Array({ minLength: 1, maxLength: 8 }))
        .map(([at, more]) => Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)])),
    );
    fc.assert(
      fc.property(damages, (damaged) => {
        const found = read(damaged);
        // An empty location changes nothing.
        if (found !== null && isSignedBy(rootKey, found)) expect(found).toEqual(macaroon);
      }),
      { numRuns: runCount(2000) },
    );
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 100 }), (tail) => void macaroonFromText(`mc_v1_${tail}`)));
  });
});

describe("the chain", () => {
  test("breaks if a caveat is removed, edited, added without the signature or moved", () => {
    expect(isSignedBy(rootKey, macaroon)).toBe(true);
    const [first, second] = macaroon.caveats as [Uint8Array, Uint8Array];
    const edited = Buffer.from("time < 2027-01-01T00:00:00Z");
    for (const others of [[], [first], [second], [second, first], [edited, second], [first, second, edited], [first, first, second]]) {
      expect(isSignedBy(rootKey, { ...macaroon, caveats: others })).toBe(false);
    }
    expect(isSignedBy(rootKey, { ...macaroon, identifier: edited })).toBe(false);
    expect(isSignedBy(rootKey, { ...macaroon, signature: macaroon.signature.subarray(0, 31) })).toBe(false);
    expect(isSignedBy(createSecretKey(randomBytes(32)), macaroon)).toBe(false);
  });
});

function insertBeforeSignature(bytes: Buffer, more: Uint8Array): Buffer {
  return Buffer.concat([bytes.subarray(0, -35), more, bytes.subarray(-35)]);
}

/** Writes a number in three bytes. */
function varint(value: number): number[] {
  return [(value & 0x7f) | 0x80, ((value >> 7) & 0x7f) | 0x80, value >> 14];
}
