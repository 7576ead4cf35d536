import fc from "fast-check";
import { expect, test } from "vitest";
import { BatchImportApiKeysRequestSchema } from "../../gen/keywright/v2alpha1/imported_api_key_pb.ts";
import type { Failure } from "../../src/error/failure.ts";
import { parseJson, parseJsonInTurns } from "../../src/protojson/parse-json.ts";
import { createJsonReader } from "../../src/protojson/read.ts";
import { createTurns, turnsOfProcess } from "../../src/turns.ts";
import { outcomeOf } from "../support/outcome-of.ts";

const maxValues = 200;
const charsPerStep = 4;

const valueTexts = fc.oneof(
  { weight: 6, arbitrary: fc.array(fc.jsonValue(), { maxLength: 8 }).map((items) => JSON.stringify(items)) },
  { weight: 2, arbitrary: fc.jsonValue().map((value) => JSON.stringify(value)) },
  fc.constantFrom("[        ]", "[ [], \n\t     ]", "[     , 1]"),
);

/** Texts with lists and other values in the outermost object, of which most are damaged. */
const texts = fc
  .record({
    members: fc.array(fc.tuple(fc.constantFrom("a", "b", "\\u0061", "__proto__"), valueTexts), { maxLength: 4 }),
    damage: fc.option(
      fc.record({ at: fc.nat(200), length: fc.nat(2), text: fc.constantFrom("", ",", "]", "[", "}", "{", '"', " ", "1", ",,") }),
    ),
  })
  .map(({ members, damage }) => {
    const text = `{${members.map(([name, value]) => `"${name}" : ${value}`).join(" , ")}}`;
    return damage === null ? text : text.slice(0, damage.at) + damage.text + text.slice(damage.at + damage.length);
  });

test("JSON parsed in turns has the value, or the error, of JSON parsed at once", async () => {
  await fc.assert(
    fc.asyncProperty(texts, async (text) => {
      const bytes = Buffer.from(text);
      const inTurns = await outcomeOf(() => parseJsonInTurns(bytes, { maxValues }, turnsOfProcess, charsPerStep));
      expect(inTurns).toEqual(await outcomeOf(() => parseJson(bytes, { maxValues })));
    }),
    { numRuns: 500 },
  );
});

test("a long text is checked and parsed in several turns, and other work runs in between", async () => {
  let timeMs = 0;
  let otherWork = 0;
  const timer = setInterval(() => {
    otherWork += 1;
  }, 0);
  const items = Array.from({ length: 20_000 }, (_, index) => index % 7);
  const turns = createTurns(() => {
    timeMs += 1;
    return timeMs;
  });
  const parse = parseJsonInTurns(
    Buffer.from(JSON.stringify({ items: items.slice(0, 2048), text: "x".repeat(1000) })),
    { maxValues: 3000 },
    turns,
    256,
  );
  expect(await parse).toEqual({ items: items.slice(0, 2048), text: "x".repeat(1000) });
  clearInterval(timer);
  expect(timeMs).toBeGreaterThan(30);
  expect(otherWork).toBeGreaterThan(0);
});

/** What is refused in a long text, and why. */
async function refusalOf(text: string): Promise<unknown> {
  const outcome = parseJsonInTurns(Buffer.from(text), { maxValues: 262_144 }, turnsOfProcess);
  return outcome.then(
    () => "parsed",
    ({ violations }: Failure) => violations.map(({ field, description }) => `${field}: ${description}`),
  );
}

test("each item of a list, and all that is outside of lists, has bounds of its own, because a turn is not divided further", async () => {
  const zeros = (count: number) => `[${Array.from({ length: count }, () => 0).join(",")}]`;
  const item = (count: number) => `{"a":${zeros(2000)},"b":${zeros(2000)},"c":${zeros(count)}}`;
  const items = (...all: string[]) => `{"requests":[${all.join(",")}]}`;
  expect(await refusalOf(items(item(80), item(80), item(80)))).toBe("parsed");
  for (const [at, all] of [
    [item(200), item(80)],
    [item(80), item(200)],
  ].entries()) {
    expect(await refusalOf(items(...(all as string[])))).toEqual([`requests[${at}]: must not hold more than 4096 values`]);
  }
  const text = `"${"x".repeat(600_000)}"`;
  expect(await refusalOf(items(`[${text},${text}]`))).toEqual(["requests[0]: must be at most 1048576 characters"]);
  expect(await refusalOf(items(text, text))).toBe("parsed");
  expect(await refusalOf(`{"a":${text},"b":${text}}`)).toEqual([": must be at most 1048576 characters, not counting its lists"]);
  expect(await refusalOf(`{"a":{"a":${zeros(2048)}},"b":{"b":${zeros(2048)}}}`)).toEqual([": must not hold more than 4096 values"]);
  expect(await refusalOf(`{"a":1}${" ".repeat(2_000_000)}`)).toBe("parsed");
});

const reader = createJsonReader({ unknownFields: "reject", presenceMasks: new Map() });

const importItems = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ raw_key: fc.string(), scopes: fc.array(fc.string()), metadata: fc.dictionary(fc.string(), fc.jsonValue()) }),
  },
  fc.record({
    rawKey: fc.constantFrom("a", 7, null),
    ttl: fc.constantFrom("1h", "5s", "soon"),
    rate_limit_policy: fc.constantFrom(null, {}, { quota: "x" }),
  }),
  fc.constantFrom(null, 1, "a", [], { unknown: 1 }, { raw_key: "a", rawKey: "b" }, { ip_restriction: { allowed_cidrs: [1] } }),
);
const importRequests = fc.record(
  { requests: fc.array(importItems, { maxLength: 6 }), request_id: fc.constantFrom("r", 1), bogus: fc.constant(1) },
  { requiredKeys: ["requests"] },
);

test("a message read in turns is the message, or has the violations, of one that is read at once", async () => {
  await fc.assert(
    fc.asyncProperty(importRequests, async (json) => {
      const inTurns = await outcomeOf(() => reader.readInTurns(BatchImportApiKeysRequestSchema, json, turnsOfProcess));
      expect(inTurns).toEqual(await outcomeOf(() => reader.read(BatchImportApiKeysRequestSchema, json)));
    }),
    { numRuns: 150 },
  );
});

test("violations of items name their index, and only the first hundred are reported", async () => {
  const requests = Array.from({ length: 300 }, (_, index) => ({ raw_key: index < 150 ? "a" : 1 }));
  const outcome = await outcomeOf(() => reader.readInTurns(BatchImportApiKeysRequestSchema, { requests }, turnsOfProcess));
  const { violations } = outcome as { violations: { field: string }[] };
  expect(violations.map(({ field }) => field)).toEqual(Array.from({ length: 100 }, (_, index) => `requests[${150 + index}].raw_key`));
});

test("an item with any number of problems has a hundred of them reported", async () => {
  const item = Object.fromEntries(Array.from({ length: 200_000 }, (_, index) => [`unknown${index}`, 1]));
  const outcome = await outcomeOf(() => reader.readInTurns(BatchImportApiKeysRequestSchema, { requests: [item] }, turnsOfProcess));
  const { violations } = outcome as { violations: { field: string }[] };
  expect(violations.map(({ field }) => field)).toEqual(Array.from({ length: 100 }, (_, index) => `requests[0].unknown${index}`));
});

test("the position of an error in a long text is found in several turns", async () => {
  let timeMs = 0;
  const turns = createTurns(() => ++timeMs);
  const text = JSON.stringify({ items: Array.from({ length: 2000 }, (_, index) => index) }).slice(0, -1);
  const outcome = await outcomeOf(() => parseJsonInTurns(Buffer.from(text), { maxValues: 3000 }, turns));
  expect(outcome).toEqual(await outcomeOf(() => parseJson(Buffer.from(text), { maxValues: 3000 })));
  // The time is asked for with each value.
  expect(timeMs).toBeGreaterThan(2000);
});
