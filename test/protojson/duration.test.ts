import { describe, expect, test } from "vitest";
import { parseDurationNanos, protobufDuration } from "../../src/protojson/duration.ts";

const second = 1_000_000_000n;

describe("parseDurationNanos", () => {
  test.each<[string, bigint]>([
    ["0", 0n],
    ["0s", 0n],
    ["-0s", 0n],
    ["3600s", 3600n * second],
    ["24h", 86_400n * second],
    ["30m", 1800n * second],
    ["1h30m", 5400n * second],
    ["1.5h", 5400n * second],
    ["+1.5h", 5400n * second],
    ["-1.5h", -5400n * second],
    [".5s", 500_000_000n],
    ["1.s", second],
    ["300ms", 300_000_000n],
    ["7us", 7000n],
    ["7µs", 7000n],
    ["7μs", 7000n],
    ["1ns", 1n],
    ["1d", 86_400n * second],
    ["1w", 604_800n * second],
    ["1mo", 2_592_000n * second],
    ["1y", 31_536_000n * second],
    ["1y2mo3w4d5h6m7s8ms9us10ns", 38_898_367n * second + 8_009_010n],
    ["1m1mo1ms", 2_592_060n * second + 1_000_000n],
    ["0.000000001s", 1n],
    ["0.1y", 3_153_600n * second],
    ["0.0000000001h", 360n],
    ["315576000000s", 315_576_000_000n * second],
    ["-315576000000.999999999s", -315_576_000_000n * second - 999_999_999n],
  ])("%s", (text, nanos) => {
    expect(parseDurationNanos(text)).toBe(nanos);
  });

  test.each([
    "",
    "1",
    "s",
    ".s",
    "-",
    "1h 30m",
    " 1h",
    "1h\n",
    "1H",
    "1e3s",
    "0x10s",
    "1,5h",
    "--1s",
    "1h-30m",
    "1s30",
    "1sfoo",
    "1mos",
    "1.2.3s",
    "0.1ns",
    "0.0000000001s",
    "315576000001s",
    "-315576000001s",
    "10007y",
    "1٣s",
    `${"0".repeat(70)}1s`,
  ])("refuses %j", (text) => {
    expect(parseDurationNanos(text)).toBeUndefined();
  });
});

test("protobufDuration returns the JSON form of google.protobuf.Duration", () => {
  const given = ["3600s", "1.5s", "-0.25s", "1h30m", "1.5s500ms", "300ms", "-90ms", "1ns", "1mo", "nothing"];
  expect(given.map(protobufDuration)).toEqual([
    "3600s",
    "1.5s",
    "-0.25s",
    "5400s",
    "2s",
    "0.300000000s",
    "-0.090000000s",
    "0.000000001s",
    "2592000s",
    undefined,
  ]);
});
