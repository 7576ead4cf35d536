import { create, type DescField, type DescMessage, equals, fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RotateIssuedApiKeyRequestSchema } from "../../gen/keywright/v2alpha1/issued_api_key_pb.ts";
import { Failure, type FieldViolation } from "../../src/error/failure.ts";
import type { PresenceMask } from "../../src/protojson/field-mask.ts";
import { createJsonReader } from "../../src/protojson/read.ts";
import { overridesPresent } from "../../src/rpc/api-keys/rotate-issued-api-key.ts";
import { runCount } from "../support/run-count.ts";
import { Everything, namesBeside, sampleMessage } from "./sample.ts";

const Plain = sampleMessage("Plain");
const strict = createJsonReader({ unknownFields: "reject", presenceMasks: new Map() });
const lenient = createJsonReader({ unknownFields: "ignore", presenceMasks: new Map() });

function back(schema: DescMessage, json: unknown, reader = strict): JsonValue {
  return toJson(schema, reader.read(schema, json), { useProtoFieldName: true });
}

function violationsOf(read: () => unknown): readonly FieldViolation[] {
  try {
    read();
  } catch (error) {
    if (error instanceof Failure && error.reason === "INVALID_REQUEST") return error.violations;
    throw error;
  }
  throw new Error("was read");
}

function nested(levels: number, wrap: (inner: unknown) => unknown, innermost: unknown): unknown {
  let json = innermost;
  for (let i = 0; i < levels; i++) json = wrap(json);
  return json;
}

describe("what is read", () => {
  test("both casings, strings for numbers, null for absent", () => {
    expect(back(Everything, { smallInt: "7", big_int: 8, maybeText: null, texts: ["a"], constructor: "c" })).toEqual({
      small_int: 7,
      big_int: "8",
      texts: ["a"],
      constructor: "c",
    });
  });

  test.each([
    ["1e3", "1000"],
    ["-1.50e1", "-15"],
    ["9223372036854775807", "9223372036854775807"],
    ["9223372036854775807.0", "9223372036854775807"],
    ["922337203685477580700e-2", "9223372036854775807"],
    ["-0", "0"],
  ])("integer %j in a string is read exactly", (text, digits) => {
    const expected = digits === "0" ? {} : { big_int: digits };
    expect(back(Everything, { big_int: text })).toEqual(expected);
    expect(back(Everything, { wrapped_int: text })).toEqual({ wrapped_int: digits });
    expect(back(Everything, { numbers: ["1e3"], counts: { a: text } })).toMatchObject({ counts: { a: digits } });
  });

  test("an empty mask, in each of its forms", () => {
    for (const mask of ["", {}, { paths: [] }]) expect(strict.read(Everything, { mask })).toMatchObject({ mask: { paths: [] } });
  });

  test("a field called constructor is absent from a plain object", () => {
    expect(back(Everything, {})).toEqual({});
  });

  test("durations in short form: alone, repeated, in maps, in nested messages", () => {
    const json = {
      lasts: "1h30m",
      pauses: ["1d", "2s"],
      namedPauses: { a: "1w" },
      child: { lasts: "300ms" },
      children: [{ lasts: "1mo" }],
    };
    expect(back(Everything, json)).toEqual({
      lasts: "5400s",
      pauses: ["86400s", "2s"],
      named_pauses: { a: "604800s" },
      child: { lasts: "0.300s" },
      children: [{ lasts: "2592000s" }],
    });
    expect(json.lasts).toBe("1h30m");
    expect(json.pauses[0]).toBe("1d");
    expect(json.children[0]?.lasts).toBe("1mo");
  });

  test("field masks in both casings", () => {
    for (const mask of ["rate_limit_policy,name,a.b_c", "rateLimitPolicy,name,a.bC"]) {
      expect(strict.read(Everything, { mask })).toMatchObject({ mask: { paths: ["rate_limit_policy", "name", "a.b_c"] } });
    }
    expect(strict.read(Everything, { mask: "*" })).toMatchObject({ mask: { paths: ["*"] } });
  });

  test("a member called __proto__ in a Struct and in a map stays a member", () => {
    const json = JSON.parse('{"tags":{"__proto__":{"a":1}},"named_pauses":{"__proto__":"1h"}}');
    expect(JSON.stringify(back(Everything, json))).toBe('{"named_pauses":{"__proto__":"3600s"},"tags":{"__proto__":{"a":1}}}');
  });

  test("unknown members and unknown enum names are skipped if they are ignored", () => {
    expect(back(Everything, { text: "a", colour: 1, child: { x: {} }, color: "COLOR_GREEN" }, lenient)).toEqual({ text: "a", child: {} });
  });
});

describe("what is refused, and where", () => {
  test.each<[string, unknown, [string, string][]]>([
    ["string", { text: 1 }, [["text", "must be a string"]]],
    ["lone surrogate", { text: "\ud800" }, [["text", "must be valid Unicode"]]],
    ["bool", { flag: "true" }, [["flag", "must be true or false"]]],
    ...["0x10", "0b1", "0o7", " 5", "5 ", "\n5", "", "+5", "05", "5.", ".5", "1.5", "1e-1", "1_000", "Infinity", "1e400"].flatMap(
      (text): [string, unknown, [string, string][]][] => [
        [`int32 ${JSON.stringify(text)}`, { small_int: text }, [["small_int", "must be an integer from -2147483648 to 2147483647"]]],
        [`int64 ${JSON.stringify(text)}`, { big_int: text }, [["big_int", "must be an integer of 64 bits"]]],
        [`wrapper ${JSON.stringify(text)}`, { wrapped_int: text }, [["wrapped_int", "must be an integer of 64 bits"]]],
      ],
    ),
    ["double 0x10", { big_float: "0x10" }, [["big_float", "must be a number"]]],
    ["mask with paths", { mask: { paths: ["name"] } }, [["mask", "must be a string of field names separated by commas"]]],
    ["int32", { small_int: 2147483648 }, [["small_int", "must be an integer from -2147483648 to 2147483647"]]],
    ["int32 fraction", { small_int: 1.5 }, [["small_int", "must be an integer from -2147483648 to 2147483647"]]],
    ["int64", { bigInt: "9223372036854775808" }, [["big_int", "must be an integer of 64 bits"]]],
    ["uint32", { small_uint: -1 }, [["small_uint", "must be an integer from 0 to 4294967295"]]],
    ["uint64", { big_uint: "-1" }, [["big_uint", "must be an integer of 64 bits, not negative"]]],
    ["float", { small_float: 1e39 }, [["small_float", "must be a number that fits 32 bits"]]],
    ["double", { big_float: "x" }, [["big_float", "must be a number"]]],
    ["bytes", { data: "*" }, [["data", "must be a base64 string"]]],
    ["enum name", { color: "RED" }, [["color", "must be one of COLOR_RED, COLOR_BLUE"]]],
    ["enum type", { color: true }, [["color", "must be one of COLOR_RED, COLOR_BLUE"]]],
    ["list", { texts: "a" }, [["texts", "must be a JSON array"]]],
    ["list item", { texts: ["a", 1, null] }, [["texts[1]", "must be a string"], ["texts[2]", "must not be null"]]], // biome-ignore format: a row
    ["message", { child: [] }, [["child", "must be a JSON object"]]],
    ["message list", { children: [{}, { text: 1 }] }, [["children[1].text", "must be a string"]]],
    ["map", { counts: [] }, [["counts", "must be a JSON object"]]],
    ["map value", { counts: { a: "x" } }, [["counts[a]", "must be an integer of 64 bits"]]],
    ["map key", { by_flag: { yes: "x" } }, [["by_flag[yes]", "must have true or false as its key"]]],
    ["timestamp", { at: "today" }, [["at", "must be an RFC 3339 timestamp"]]],
    ["duration", { lasts: "soon" }, [["lasts", "must be a duration such as 3600s, 1h30m or 30d"]]],
    ["duration with a tail", { lasts: "1s30" }, [["lasts", "must be a duration such as 3600s, 1h30m or 30d"]]],
    ["duration out of bounds", { lasts: "999999999999s" }, [["lasts", "must be a duration such as 3600s, 1h30m or 30d"]]],
    ["duration number", { lasts: 60 }, [["lasts", "must be a duration such as 3600s, 1h30m or 30d"]]],
    ["mask", { mask: ["name"] }, [["mask", "must be a string of field names separated by commas"]]],
    ["mask that is not reversible", { mask: "a_1" }, [["mask", "must be a string of field names separated by commas"]]],
    ["struct", { tags: [] }, [["tags", "must be a JSON object"]]],
    ["struct number", JSON.parse('{"tags":{"a":[1e999]}}'), [["tags.a[0]", "must be a number that fits 64 bits"]]],
    ["struct string", { tags: { a: "\udc00" } }, [["tags.a", "must be valid Unicode"]]],
    ["list value", { list: {} }, [["list", "must be a JSON array"]]],
    ["wrapper", { wrapped_int: "x" }, [["wrapped_int", "must be an integer of 64 bits"]]],
    ["oneof", { by_name: "a", by_id: 1 }, [["by_id", "cannot be given together with by_name"]]],
    ["both casings", { smallInt: 1, small_int: 1 }, [["small_int", "is given twice, in snake_case and in camelCase"]]],
    ["both casings, one null", { smallInt: 1, small_int: null }, [["small_int", "is given twice, in snake_case and in camelCase"]]],
    ["unknown", { colour: 1, child: { x: 1 } }, [["colour", "is not a field of Everything"], ["child.x", "is not a field of Everything"]]], // biome-ignore format: a row
    ["empty", { "": 1, child: { "": 1 } }, [['""', "is not a field of Everything"], ['child.""', "is not a field of Everything"]]], // biome-ignore format: a row
    ["inherited", { toString: 1 }, [["toString", "is not a field of Everything"]]],
    ["everything at once", { text: 1, flag: 1, child: { at: 1 } }, [["text", "must be a string"], ["flag", "must be true or false"], ["child.at", "must be an RFC 3339 timestamp"]]], // biome-ignore format: a row
    ["not an object", [], [["", "must be a JSON object"]]],
    ["null", null, [["", "must be a JSON object"]]],
  ])("%s", (_name, json, expected) => {
    const found = violationsOf(() => strict.read(Everything, json));
    expect(found.map((v) => [v.field, v.description])).toEqual(expected);
  });

  test("the given path precedes every field, and the text names the first few", () => {
    const read = () => strict.read(Plain, { size: "x", a: 1, b: 1, c: 1, d: 1, e: 1, f: 1 }, "requests[2]");
    expect(violationsOf(read)[0]).toEqual({ field: "requests[2].size", description: "must be an integer from -2147483648 to 2147483647" });
    expect(read).toThrow(/^requests\[2\]\.size: must .*; requests\[2\]\.d: is not a field of Plain; and 2 more$/);
  });

  test("google.protobuf.Any is refused", () => {
    const json = { any: { "@type": "type.googleapis.com/google.protobuf.Duration", value: "1s" } };
    expect(violationsOf(() => strict.read(sampleMessage("Packed"), json))).toEqual([
      { field: "any", description: "cannot be given as JSON here" },
    ]);
  });

  test("at most 100 problems are reported", () => {
    expect(violationsOf(() => strict.read(Everything, { numbers: new Array(500_000).fill("x") }))).toHaveLength(100);
  });

  test("long names of members are cut", () => {
    const [violation] = violationsOf(() => strict.read(Plain, { ["x".repeat(100_000)]: 1 }));
    expect(violation?.field).toBe(`${"x".repeat(24)}…`);
  });
});

describe("nesting", () => {
  const levels: [string, (inner: unknown) => unknown, unknown][] = [
    ["messages", (inner) => ({ child: inner }), {}],
    ["lists of messages", (inner) => ({ children: [inner] }), {}],
    ["maps of messages", (inner) => ({ by_number: { 1: inner } }), {}],
    ["unknown members", (inner) => ({ unknown: inner }), {}],
  ];
  test.each(levels)(
    "%s: 90 levels are read or refused with the field's name, and 300 and 200000 never overflow the stack",
    (name, wrap, innermost) => {
      const attempt = (depth: number) => () => lenient.read(Everything, nested(depth, wrap, innermost));
      expect(attempt(90)).not.toThrow();
      if (name === "unknown members") return;
      for (const depth of [300, 200_000]) {
        expect(violationsOf(attempt(depth))).toMatchObject([{ description: "must not be nested more than 100 levels deep" }]);
      }
    },
  );

  test.each(["tags", "anything", "list"])("%s: arrays and objects", (field) => {
    for (const wrap of [(inner: unknown) => [inner], (inner: unknown) => ({ a: inner })]) {
      const attempt = (depth: number) => () =>
        strict.read(Everything, { [field]: field === "list" ? [nested(depth, wrap, 1)] : { a: nested(depth, wrap, 1) } });
      expect(attempt(90)).not.toThrow();
      for (const depth of [300, 200_000]) {
        expect(violationsOf(attempt(depth))).toMatchObject([{ description: "must not be nested more than 100 levels deep" }]);
      }
    }
  });

  test("a value of the wrong type is not walked", () => {
    const deep = nested(200_000, (inner) => [inner], 1);
    expect(violationsOf(() => strict.read(Everything, { text: deep, unknown: deep }))).toMatchObject([
      { field: "text" },
      { field: "unknown" },
    ]);
  });
});

/** A mask that may name every other field of its message. */
function maskOfAll(field: DescField): PresenceMask {
  return { field, names: namesBeside(field) };
}

describe("presence masks", () => {
  const Masked = sampleMessage("Masked");
  const maskField = Masked.field.overrideMask as DescField;
  const reader = createJsonReader({ unknownFields: "reject", presenceMasks: new Map([[Masked, maskOfAll(maskField)]]) });
  const maskOf = (json: unknown, bound: string[] = []) =>
    toJson(Masked, reader.read(Masked, json, "", new Set(bound.map((name) => Masked.field[name] as DescField))), {
      useProtoFieldName: true,
    });

  test.each<[unknown, string]>([
    [{}, ""],
    [{ display_name: "a", scopes: [] }, "displayName,scopes"],
    [{ displayName: "", plain: {} }, "displayName,plain"],
    [{ display_name: null, scopes: [] }, "scopes"],
    [{ scopes: [], override_mask: null }, "scopes"],
    [{ scopes: [], overrideMask: null }, "scopes"],
    [{ scopes: [], override_mask: "display_name" }, "displayName"],
    [{ scopes: [], overrideMask: "" }, "scopes"],
    [{ scopes: [], override_mask: {} }, "scopes"],
    [{ scopes: [], override_mask: { paths: [] } }, "scopes"],
    [{ id: "1", scopes: [] }, "scopes"],
  ])("%j", (json, mask) => {
    expect(maskOf(json, ["id"])).toMatchObject({ override_mask: mask });
  });

  test("only fields that are not bound count", () => {
    expect(maskOf({ id: "1" })).toMatchObject({ override_mask: "id" });
  });

  test("apply inside other messages too, without changing the JSON", () => {
    const json = { items: [{ scopes: [] }, { plain: {} }] };
    const message = reader.read(sampleMessage("MaskedList"), json);
    expect(message).toMatchObject({ items: [{ overrideMask: { paths: ["scopes"] } }, { overrideMask: { paths: ["plain"] } }] });
    expect(json).toEqual({ items: [{ scopes: [] }, { plain: {} }] });
  });

  test("a rotation's mask names only overriding fields", () => {
    const schema = RotateIssuedApiKeyRequestSchema;
    const masks = new Map([[schema as DescMessage, overridesPresent]]);
    const json = { key_id: "a", scopes: [], name: "b", grace_period: "1h", request_id: "c", ttl: "2h" };
    const rotate = createJsonReader({ unknownFields: "reject", presenceMasks: masks }).read(schema, json);
    expect(rotate.overrideMask?.paths).toEqual(["name", "scopes"]);
  });

  test("an invalid mask is refused at the start", () => {
    const wrong = new Map([[Masked, maskOfAll(Masked.field.plain as DescField)]]);
    expect(() => createJsonReader({ unknownFields: "reject", presenceMasks: wrong })).toThrow(/is not a google.protobuf.FieldMask/);
  });
});

describe("compared with protobuf-es", () => {
  const names = [...Everything.fields.flatMap((field) => [field.name, field.jsonName]), "unknown"];
  const odd = [NaN, Infinity, 1e300, 2 ** 31, -1, 1.5, "", " 1", "1e3", "0x10", "-9223372036854775808", "NaN", "AQI=", "_-8", "COLOR_RED"];
  const written = ["2024-01-02T03:04:05Z", "1.5s", "1h", "-1s", "a,bC", "a_b", "\ud800", "18446744073709551615", "true"];
  const leaf = fc.oneof(
    fc.constantFrom<unknown>(...odd, ...written),
    fc.constantFrom<unknown>(null, true, false, 0, 1),
    fc.string(),
    fc.double(),
  );
  const { json } = fc.letrec<{ json: unknown; object: unknown }>((tie) => ({
    object: fc.dictionary(fc.constantFrom(...names), tie("json"), { maxKeys: 3 }),
    json: fc.oneof(
      { depthSize: "small" },
      { arbitrary: leaf, weight: 6 },
      { arbitrary: tie("object"), weight: 3 },
      fc.array(tie("json"), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom("1", "true", "a", "\ud800"), tie("json"), { maxKeys: 2 }),
    ),
  }));
  const request = fc.dictionary(fc.constantFrom(...names), json, { maxKeys: 4 });

  test.each([
    ["reject", strict],
    ["ignore", lenient],
  ] as const)("the same JSON is read in the same way, and every refusal names a field (%s)", (unknownFields, reader) => {
    fc.assert(
      fc.property(request, (given) => {
        const before = structuredClone(given);
        let message: unknown;
        try {
          message = reader.read(Everything, given);
        } catch (error) {
          expect(error).toBeInstanceOf(Failure);
          for (const v of (error as Failure).violations) expect(v.description).not.toMatch(/^cannot be read/);
        }
        expect(given).toEqual(before);
        if (message === undefined) return;
        const canonical = toJson(Everything, message as never);
        expect(toJson(Everything, fromJson(Everything, canonical))).toEqual(canonical);
        let native: unknown;
        try {
          native = fromJson(Everything, given as JsonValue, { ignoreUnknownFields: unknownFields === "ignore" });
        } catch {
          // Durations, masks and integers that only this reader accepts.
          expect(JSON.stringify(given)).toMatch(/"1h"|"\w*_\w*"|"\d+[a-z]"|"1e3"|"mask":\{/);
          return;
        }
        expect(toJson(Everything, native as never)).toEqual(canonical);
      }),
      { numRuns: runCount(1000) },
    );
  });

  test("a message written by protobuf-es is read unchanged", () => {
    const message = create(Plain, { displayName: "a", inner: { size: 3 } } as never);
    expect(equals(Plain, strict.read(Plain, toJson(Plain, message)), message)).toBe(true);
  });
});
