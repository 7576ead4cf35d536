import { expect, test } from "vitest";
import { isLeftOfToken } from "../../../src/core/token/damaged-token.ts";

const marks = (...kids: string[]) => ({ kids, issuers: ["keywright"] });
const jwtOf = (header: object) => `${Buffer.from(JSON.stringify(header)).toString("base64url")}.e30.AA`;

test("a JWT is ours by the kid of its header, wherever the header is damaged before it", () => {
  const text = jwtOf({ alg: "RS256", typ: "JWT", kid: "2026-01" });
  for (const left of [text, text.split(".")[0] as string, `eyJx${text.slice(3)}`, `eyJxy${text.slice(3)}`, `eyJ${text.slice(4)}`]) {
    expect(isLeftOfToken(left, marks("other", "2026-01")), left).toBe(true);
    expect(isLeftOfToken(left, marks("other", "2026-0", "026-01")), left).toBe(false);
  }
});

test("a JWT of another system is not ours, whatever our signing keys are named", () => {
  const theirs = [
    { alg: "RS256", typ: "JWT", kid: "theirs" },
    { alg: "RS256", typ: "JWT" },
    { typ: "JWT", kid: 'a","typ":"JWT' },
  ];
  for (const header of theirs) expect(isLeftOfToken(jwtOf(header), marks("RS256", "JWT", "alg", "typ", "kid"))).toBe(false);
});

test("a macaroon is ours by its issuer, wherever it is damaged before or after it", () => {
  const facts = Buffer.from(JSON.stringify({ v: 1, iss: "keywright", kid: "2026-01" })).toString("base64url");
  for (const left of [`mc_v1_${facts}`, `mc_v1_x${facts}AAAA`, `mc_v1_${facts.slice(3)}`, `mc_v1_${facts.slice(0, -9)}`]) {
    expect(isLeftOfToken(left, marks("2026-01")), left).toBe(true);
    expect(isLeftOfToken(left, { kids: ["2026-01"], issuers: ["another"] }), left).toBe(false);
  }
});
