import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { createCredentials } from "../../src/core/credential.ts";
import { issuedKeyPattern } from "../../src/core/credential-shape.ts";
import { createUlid } from "../../src/core/ulid.ts";
import { redactText } from "../../src/telemetry/redact.ts";

const root = join(import.meta.dirname, "../..");
const published = issuedKeyPattern(["kw", "kw_pub"]);
const prefixes = { secret: "kw", public: "kw_pub", retired: [] };
const credentials = createCredentials({ current: "s".repeat(32), retired: [] }, prefixes, randomBytes);
const keys = (["secret", "public"] as const).map((visibility) =>
  credentials.mint("default", createUlid(1_800_000_000_000, randomBytes), visibility),
);

/** The documents that print the pattern. */
function documents(): string {
  const docs = join(root, "docs");
  const pages = existsSync(docs) ? readdirSync(docs, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".md")) : [];
  return [join(root, "README.md"), ...pages.map((path) => join(docs, path))].map((path) => readFileSync(path, "utf8")).join("\n");
}

/** What a scanner does with a text: it searches, then checks the last six characters. */
function scan(text: string): string[] {
  return [...text.matchAll(new RegExp(published, "g"))].map(([found]) => found).filter(hasRightChecksum);
}

function hasRightChecksum(key: string): boolean {
  const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  const checksum = [...key.slice(-6)].reduce((value, digit) => value * 62 + digits.indexOf(digit), 0);
  return checksum === crc32(key.slice(0, -6));
}

test("the documents print only the pattern of the code", () => {
  const printed = documents()
    .split("\n")
    .filter((line) => line.includes("_v1_[0-9A-HJKMNP-TV-Z]"))
    .map((line) => line.trim());
  expect(new Set(printed)).toEqual(new Set([published]));
});

/** Text before and after the key. */
const surroundings: readonly [string, string][] = [
  ["", ""],
  ['{"text":"line\\n', '\\nnext"}'],
  ["\\r\\n", "\\r\\n"],
  ["\\t", "\\t"],
  ["\\u000a", "\\u000a"],
  ["https://example.com/?q=%0A", "%0Aabc"],
  ["%3D", "%26x"],
  ["key=", "&x=1"],
  ["Authorization: Bearer ", "\n"],
  ['"', '"'],
  ["'", "',"],
  ["`", "`"],
  ["(", ")."],
  ["https://user:", "@example.com/"],
  ["\u001b[31m", "\u001b[0m"],
  ["&quot;", "&quot;"],
  ["abc", " "],
  ["ABC123", "-"],
  ["_", "_"],
  ["kw_", ""],
];

describe.each(surroundings)("between %j and %j", (before, after) => {
  test.each(keys)("%s is found, and does not reach a log", (key) => {
    const text = before + key + after;
    expect(scan(text)).toEqual([key]);
    expect(redactText(text)).not.toContain(key.slice(-17));
  });
});

test("several keys in one text are found, even without a gap", () => {
  expect(scan(keys.join(""))).toEqual(keys);
  expect(scan(JSON.stringify(keys.join("\n")))).toEqual(keys);
});

test("JWTs, macaroons and admin tokens after an escape do not reach a log either", () => {
  const tail = "c2VjcmV0LXRhaWwtb2YtYS10b2tlbg";
  for (const token of [`eyJhbGciOiJFZERTQSJ9.e30.${tail}`, `mc_v1_AgJ+/${tail}+/${tail}==`, `kwadm_${tail}`]) {
    for (const before of ["", "\\n", "%0A", "abc"]) expect(redactText(`${before}${token}`)).not.toContain(tail);
  }
});
