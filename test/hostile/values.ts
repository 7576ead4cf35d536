import type { Random } from "./random.ts";

const oddTexts = [
  "",
  " ",
  "\0",
  "a\0b",
  "\r\nX-Injected: 1",
  "../../etc/passwd",
  "%2e%2e%2f",
  "'; DROP TABLE keys; --",
  '" OR ""="',
  "{{7*7}}",
  "<script>alert(1)</script>",
  "__proto__",
  "constructor",
  "\u202e\u2066abc",
  "\ufeff",
  "\uffff",
  "\u{10ffff}",
  "e\u0301".repeat(300),
  "\u{1f468}\u200d\u{1f469}\u200d\u{1f467}".repeat(50),
  "*",
  "-1",
  "NaN",
  "null",
  "1e999",
  "0x7fffffff",
  "9999-12-31T23:59:60Z",
  "-0001-01-01T00:00:00Z",
  "315576000001s",
  "1.0000000001s",
  "0000-01-01T00:00:00Z",
  "9999-12-31T23:59:59-00:01",
  "0.0.0.0/0",
  "::/129",
  "10.0.0.1/8",
  "::ffff:10.0.0.0/104",
  "256.256.256.256",
  "3405803783",
  "0xcb007107",
  "fe80::1%eth0",
  `::1%${"z".repeat(5000)}`,
  "KEY_STATUS_",
] as const;

/** A text that may have been forgotten. */
export function oddText(random: Random): string {
  if (random.chance(0.6)) return random.pick(oddTexts);
  if (random.chance(0.5)) return random.word(random.pick([1, 36, 37, 255, 256, 257, 1025, 4097]));
  return random.chance(0.1) ? random.word(1).repeat(100_000) : random.bytes(random.below(64)).toString("latin1");
}

const oddJson = [
  "null",
  "true",
  "0",
  "-0",
  "1",
  "-1",
  "1.5",
  "1e999",
  "-1e999",
  "1e-999",
  "9007199254740993",
  "99999999999999999999999999",
  "-2147483649",
  "4294967296",
  "1E400",
  '""',
  '"x"',
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '"\\u0000"',
  "[]",
  "{}",
  "[null]",
  "[[]]",
  "[{}]",
  '[""]',
  '{"":""}',
  '{"a":1,"a":2}',
  '{"__proto__":{"isAdmin":true}}',
  '{"constructor":{"prototype":{}}}',
  '{"toString":1}',
  '{"@type":"type.googleapis.com/google.protobuf.Empty"}',
  '"NaN"',
  '"Infinity"',
  '"1e3"',
  '"KEY_VISIBILITY_"',
  '"2147483648"',
  '"9223372036854775808"',
  '"AA=="',
] as const;

const notJson = [
  "NaN",
  "Infinity",
  "undefined",
  "'x'",
  "01",
  "+1",
  ".5",
  "1.",
  "0x10",
  "1_000",
  '"\t"',
  '"\\x41"',
  '"\\u12"',
  "[1,]",
  "{,}",
  '{"a"}',
  "tru",
  "/* */1",
] as const;

/** The text of a JSON value of any type, mostly the wrong one. */
export function oddJsonValue(random: Random): string {
  if (random.chance(0.55)) return random.pick(oddJson);
  if (random.chance(0.25)) return random.pick(notJson);
  if (random.chance(0.1)) return "9".repeat(random.pick([20, 400, 20_000]));
  if (random.chance(0.1)) return nestedJson(random);
  if (random.chance(0.1)) return `[${Array.from({ length: random.pick([101, 1001, 5000]) }, () => '"a"').join(",")}]`;
  return JSON.stringify(oddText(random));
}

/** Nested arrays, objects or Struct-like objects, closed or not. */
export function nestedJson(random: Random): string {
  const depth = random.pick([50, 101, 1000, 10_000, 100_000]);
  const [open, close] = random.pick([
    ["[", "]"],
    ['{"a":', "}"],
    ['[{"a":', "}]"],
    ['{"structValue":{"fields":{"a":', "}}}"],
  ] as const);
  return open.repeat(depth) + (random.chance(0.5) ? `1${close.repeat(depth)}` : "");
}

/** Bytes that are not UTF-8: a lone continuation byte, overlong forms, surrogates, beyond U+10FFFF, truncated. */
export const invalidUtf8: readonly Buffer[] = [
  "80",
  "c080",
  "c1bf",
  "e08080",
  "eda080",
  "edbfbf",
  "f4908080",
  "f8888080",
  "ff",
  "fe",
  "e282",
  "f09f",
].map((hex) => Buffer.from(hex, "hex"));
