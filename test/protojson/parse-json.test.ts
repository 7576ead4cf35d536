import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Failure } from "../../src/error/failure.ts";
import { parseJson } from "../../src/protojson/parse-json.ts";

const maxValues = 16_384;
const parse = (text: string): unknown => parseJson(Buffer.from(text), { maxValues });

function refusalOf(text: string): Failure {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error("was parsed");
}

const fieldsOf = (text: string): string[] => refusalOf(text).violations.map(({ field }) => field);
const descriptionsOf = (text: string): string[] => refusalOf(text).violations.map(({ description }) => description);

/** JSON.stringify writes large doubles with the shortest digits that identify them, which need not be their value. */
const anyJson = fc.json().filter((text) => !/(?<![.\d])\d{16,}(?![.\d])/.test(text));

test("JSON without duplicates is parsed as JSON.parse does", () => {
  fc.assert(
    fc.property(anyJson, (text) => {
      expect(parse(text)).toEqual(JSON.parse(text));
    }),
    { numRuns: 2000 },
  );
});

test("one byte order mark is skipped, and a second one is not JSON", () => {
  expect(parse('\ufeff{"a":1}')).toEqual({ a: 1 });
  expect(refusalOf("\ufeff\ufeff{}").reason).toBe("MALFORMED_BODY");
});

describe("a member that is given twice", () => {
  test.each([
    ['{"a":1,"a":1}', ["a"]],
    ['{"a":1,"\\u0061":2}', ["a"]],
    ['{"a":{"a":1},"b":[{"c":1},{"c":1,"d":2,"c":3}]}', ["b[1].c"]],
    ['{"metadata":{"x":{"y":1,"y":2}},"metadata":{}}', ["metadata.x.y", "metadata"]],
    ['{"__proto__":1,"__proto__":2}', ["__proto__"]],
    ['{ "a" : 1 , "b\\"" : "}" , "b\\"" : "," }', ['b"']],
    [`{${Array.from({ length: 100 }, (_, i) => `"m${i}":1`).join(",")},"m0":1,"m99":1,"m100":1}`, ["m0", "m99"]],
  ])("%s", (text, fields) => {
    expect(fieldsOf(text)).toEqual(fields);
    expect(new Set(descriptionsOf(text))).toEqual(new Set(["is given twice"]));
  });

  test.each(['{"a":{"b":1},"c":{"b":1}}', '[{"a":1},{"a":1}]', '{"a":"\\"a\\":1","b":["a","a"]}', '{"a":[],"b":{},"":1}'])(
    "%s is accepted",
    (text) => expect(parse(text)).toEqual(JSON.parse(text)),
  );

  test("is found in any JSON with repeated members", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), anyJson, { minKeys: 1, maxKeys: 30 }), fc.nat(), (object, pick) => {
        const members = Object.entries(object).map(([name, value]) => `${JSON.stringify(name)}:${value}`);
        expect(parse(`{${members.join(",")}}`)).toEqual(JSON.parse(`{${members.join(",")}}`));
        members.push(members[pick % members.length] as string);
        expect(fieldsOf(`{${members.join(",")}}`)).toHaveLength(1);
      }),
    );
  });
});

describe("a number that a double cannot hold", () => {
  test.each([
    "9007199254740993",
    "-9007199254740993",
    "9223372036854775807",
    "18446744073709551615",
    "9007199254740993.0",
    "9007199254740993e0",
    "90071992547409930e-1",
    "9007199254740992.5",
    "1.00000000000000000001",
    "123456789012345678901234567890",
    "1e-400",
    "9".repeat(400),
  ])("%s is refused", (numeral) => {
    expect(fieldsOf(`{"a":{"b":[0,${numeral}]}}`)).toEqual(["a.b[1]"]);
    expect(descriptionsOf(numeral)).toEqual(["is a number that would be rounded; use a string"]);
  });

  test.each([
    "9007199254740991",
    "9007199254740992",
    "9007199254740994",
    "-9223372036854775808",
    "0.1",
    "1e3",
    "1E+2",
    "-0",
    "-0.0",
    "1.50",
    "1e300",
  ])("%s is read exactly", (numeral) => expect(parse(`{"a":${numeral}}`)).toEqual({ a: Number(numeral) }));

  test("digits inside strings and names are not numbers", () => {
    expect(parse('{"9007199254740993":"9007199254740993"}')).toEqual({ "9007199254740993": "9007199254740993" });
  });
});

describe("bounds", () => {
  test("values", () => {
    expect(parse(`[[${"1,".repeat(1000)}1],[${"{},".repeat(1000)}{}]]`)).toHaveLength(2);
    const hundred = `[${"0,".repeat(99)}0],`;
    expect(descriptionsOf(`[${hundred.repeat(200)}0]`)).toEqual([`must not hold more than ${maxValues} values`]);
  });

  test("items of an array", () => {
    expect(parse(`[${"1,".repeat(2047)}1]`)).toHaveLength(2048);
    expect(refusalOf(`{"requests":[${"{},".repeat(2048)}{}]}`).violations).toEqual([
      { field: "requests", description: "must not hold more than 2048 items" },
    ]);
  });

  test("members of an object", () => {
    const members = (count: number) => Array.from({ length: count }, (_, index) => `"m${index}":0`).join(",");
    expect(Object.keys(parse(`{${members(2048)}}`) as object)).toHaveLength(2048);
    expect(refusalOf(`{"metadata":{${members(2049)}}}`).violations).toEqual([
      { field: "metadata", description: "must not hold more than 2048 members" },
    ]);
  });

  test("characters of a text, escaped or not, closed or not", () => {
    const long = 1024 * 1024;
    expect(parse(`{"a":"${"x".repeat(long - 2)}"}`)).toHaveProperty("a.length", long - 2);
    const tooLong = [{ field: "a", description: `must be at most ${long} characters` }];
    for (const text of ["x".repeat(long), '\\"'.repeat(long / 2)]) expect(refusalOf(`{"a":"${text}"}`).violations).toEqual(tooLong);
    expect(refusalOf(`{"a":"${'\\"'.repeat(long)}`).violations).toEqual(tooLong);
  });

  test("depth", () => {
    expect(parse(`${"[".repeat(100)}${"]".repeat(100)}`)).toHaveLength(1);
    expect(descriptionsOf(`${'{"a":'.repeat(101)}1`)).toEqual(["must not be nested more than 100 levels deep"]);
  });

  test("text that is not JSON is reported with its position, whatever else is wrong", () => {
    expect(refusalOf('{"a":1,"a":9007199254740993').message).toBe(
      "the request body cannot be read: it is not valid JSON at line 1, column 28",
    );
    expect(() => parseJson(Buffer.from([0x22, 0xff, 0x22]), { maxValues })).toThrow("it is not valid UTF-8 at byte 1");
  });
});
