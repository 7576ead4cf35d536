import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readCaveats } from "../../../src/core/token/caveat.ts";
import { type TokenFacts, type TokenNarrowing, unnarrowed } from "../../../src/core/token/facts.ts";
import { pageText } from "../../support/docs.ts";
import { runCount } from "../../support/run-count.ts";

const facts: TokenFacts = {
  tokenId: "01KAS4D9N4XJ8M2V6T0QZ3R7YC",
  chain: [],
  issuer: "https://keys.example",
  tenant: "default",
  rootKeyId: "01KAS4D9N4XJ8M2V6T0QZ3R7YB",
  rootFirstRevision: null,
  actorId: "user 123",
  scopes: ["read", "write"],
  metadata: null,
  customClaims: {},
  issueTimeMs: 0,
  notBeforeMs: 0,
  expireTimeMs: Date.UTC(2027, 0, 1),
};

function readTexts(...texts: string[]): TokenNarrowing | null {
  const caveats = texts.map((text) => Buffer.from(text));
  return readCaveats(caveats, facts);
}

describe("caveats narrow", () => {
  test.each<[string[], Partial<TokenNarrowing>]>([
    [[], {}],
    [["time < 2026-01-01T00:00:00Z"], { expireTimeMs: Date.UTC(2026, 0, 1) }],
    [["time < 2026-01-01T02:00:00.5+02:00"], { expireTimeMs: Date.UTC(2026, 0, 1) + 500 }],
    [["time < 2026-01-02T00:00:00Z", "time < 2026-01-01T00:00:00Z", "time < 2026-01-03T00:00:00Z"], { expireTimeMs: Date.UTC(2026, 0, 1) }],
    [["time > 2026-01-01T00:00:00Z", "time > 2025-01-01T00:00:00Z"], { notBeforeMs: Date.UTC(2026, 0, 1) + 1 }],
    [["scope = read"], { scopes: ["read"] }],
    [["scope = read write", "scope = write delete"], { scopes: ["write"] }],
    [["scope = delete"], { scopes: [] }],
    [["scope = read", "scope = write"], { scopes: [] }],
    [["ip in 10.0.0.0/8"], { clientCidrs: [["10.0.0.0/8"]] }],
    [["ip in 10.0.0.0/8 2001:db8::/32", "ip in 10.1.0.0/16"], { clientCidrs: [["10.0.0.0/8", "2001:db8::/32"], ["10.1.0.0/16"]] }],
    [["audience = https://a.example", "audience = b c"], { audiences: ["https://a.example", "b c"] }],
    [["key_id = 01KAS4D9N4XJ8M2V6T0QZ3R7YB", "actor_id = user 123"], {}],
  ])("%j", (texts, expected) => {
    expect(readTexts(...texts)).toEqual({ ...unnarrowed, ...expected });
  });
});

test.each([
  ...[
    "",
    " ",
    "time",
    "time <",
    "time < ",
    "time <2026-01-01T00:00:00Z",
    "time < 2026-01-01",
    "time < 2026-01-01T00:00:00",
    "time < 1767225600",
  ],
  ...["time < 2026-02-30T00:00:00Z", "time < 2026-01-01T24:00:00Z", "time < 2026-01-01T00:00:00Z ", "time = 2026-01-01T00:00:00Z"],
  ...["Time < 2026-01-01T00:00:00Z", "time <= 2026-01-01T00:00:00Z", " time < 2026-01-01T00:00:00Z", "time\t< 2026-01-01T00:00:00Z"],
  ...[
    "scope = ",
    "scope =  read",
    "scope = read  write",
    "scope = read ",
    "scope < read",
    "scope read",
    "scopes = read",
    "scope = read\nscope = write",
  ],
  ...["ip in 10.0.0.7", "ip in 10.0.0.0/33", "ip in 10/8", "ip in 010.0.0.0/8", "ip in fe80::%eth0/64", "ip in ", "ip = 10.0.0.0/8"],
  ...[
    "audience = ",
    "key_id = 01KAS4D9N4XJ8M2V6T0QZ3R7YC",
    "key_id = ",
    "actor_id = user 124",
    "actor_id = user 123 ",
    "actor_id != user 124",
  ],
  ...["sub = user 123", "metadata = {}", "constructor = x", "__proto__ = x", "email = a@b.example", "{}"],
])("%j is not a caveat, whatever other caveats there are", (text) => {
  expect(readTexts(text)).toBeNull();
  expect(readTexts("scope = read", text)).toBeNull();
  expect(readTexts(text, "scope = read")).toBeNull();
});

test("all caveats together may have 100 ranges, because every verification checks them all", () => {
  const ranges = (count: number) => `ip in ${Array(count).fill("10.0.0.0/8").join(" ")}`;
  expect(readTexts(ranges(60), ranges(40))?.clientCidrs.flat()).toHaveLength(100);
  for (const texts of [[ranges(101)], [ranges(60), ranges(41)], [ranges(5000)]]) expect(readTexts(...texts)).toBeNull();
  const manyScopes = `scope = read ${Array.from({ length: 8000 }, (_, index) => index).join(" ")}`;
  expect(readTexts(manyScopes, manyScopes)?.scopes).toEqual(["read"]);
});

test("docs/tokens.md lists the caveats of the grammar, and each example can be parsed", () => {
  const rows = /\| caveat \| is met \|\n.*\n((?:\|.*\n)+)/.exec(pageText("docs/tokens.md"))?.[1] as string;
  const examples = rows
    .split("\n")
    .flatMap((row) => [...(row.split("|")[1] ?? "").matchAll(/`(.+?)`/g)].map((match) => match[1] as string));
  expect(examples.map((example) => example.split(" ").slice(0, 2).join(" "))).toEqual([
    ...["time <", "time >", "scope =", "ip in", "audience =", "key_id =", "actor_id ="],
  ]);
  for (const example of examples) expect(readCaveats([Buffer.from(example)], { ...facts, actorId: "user_123" }), example).not.toBeNull();
});

test("bytes that are not UTF-8 are not a caveat", () => {
  expect(readCaveats([Buffer.from("audience = é")], facts)?.audiences).toEqual(["é"]);
  expect(readCaveats([Buffer.from("audience = é", "latin1")], facts)).toBeNull();
});

test("more caveats leave fewer permissions, or none", () => {
  const moments = fc
    .date({ noInvalidDate: true, min: new Date("1970-01-01"), max: new Date("2200-01-01") })
    .map((date) => date.toISOString());
  const caveat = fc.oneof(
    fc.tuple(fc.constantFrom("time <", "time >"), moments).map((words) => words.join(" ")),
    fc.array(fc.constantFrom("read", "write", "admin", "*"), { maxLength: 3 }).map((scopes) => `scope = ${scopes.join(" ")}`),
    fc.constantFrom("ip in 10.0.0.0/8", "ip in 0.0.0.0/0 ::/0", "audience = a", "audience = b", "key_id = other", "actor_id = user 123"),
    fc.string({ unit: "binary", maxLength: 30 }),
    fc.tuple(fc.constantFrom("time <", "scope =", "ip in", "actor_id =", "metadata ="), fc.string()).map((words) => words.join(" ")),
  );
  fc.assert(
    fc.property(fc.array(caveat, { maxLength: 6 }), fc.array(caveat, { minLength: 1, maxLength: 6 }), (held, added) => {
      const before = readTexts(...held);
      const after = readTexts(...held, ...added);
      if (after === null) return;
      expect(before).not.toBeNull();
      const { expireTimeMs, notBeforeMs, scopes, clientCidrs, audiences } = before as TokenNarrowing;
      expect(after.expireTimeMs ?? Number.POSITIVE_INFINITY).toBeLessThanOrEqual(expireTimeMs ?? Number.POSITIVE_INFINITY);
      expect(after.notBeforeMs ?? 0).toBeGreaterThanOrEqual(notBeforeMs ?? 0);
      if (scopes !== null) expect(scopes).toEqual(expect.arrayContaining([...(after.scopes as string[])]));
      expect(after.clientCidrs.slice(0, clientCidrs.length)).toEqual(clientCidrs);
      expect(after.audiences.slice(0, audiences.length)).toEqual(audiences);
      // The order does not matter.
      const reversed = readTexts(...added.toReversed(), ...held.toReversed());
      expect(reversed).toMatchObject({ expireTimeMs: after.expireTimeMs, notBeforeMs: after.notBeforeMs });
      expect(new Set(reversed?.scopes)).toEqual(new Set(after.scopes));
      expect(reversed?.clientCidrs.toReversed()).toEqual(after.clientCidrs);
    }),
    { numRuns: runCount(250) },
  );
});
