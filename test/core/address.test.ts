import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { describe, expect, test } from "vitest";
import { type Address, formatAddress, parseAddress } from "../../src/core/address.ts";
import { runCount } from "../support/run-count.ts";

describe("parseAddress", () => {
  test.each([
    ["10.0.0.1", "10.0.0.1"],
    ["255.255.255.255", "255.255.255.255"],
    ["::ffff:10.0.0.1", "10.0.0.1"],
    ["::FFFF:A00:1", "10.0.0.1"],
    ["0000:0000:0000:0000:0000:ffff:255.255.255.255", "255.255.255.255"],
    ["::", "::"],
    ["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
    ["64:ff9b::10.0.0.1", "64:ff9b::a00:1"],
  ])("reads %s as %s", (text, canonical) => {
    expect(formatAddress(parseAddress(text) as Address)).toBe(canonical);
  });

  test.each([
    ...["", " ", "unknown", "localhost", "10.0.0.1 ", " 10.0.0.1", "10.0.0.1\n", "10.0.0.1:80", "[::1]", "10.0.0.0/8"],
    ...[
      "3405803783",
      "0xcb007107",
      "0xcb.0.0x71.7",
      "0313.0.0161.07",
      "203.0.113.007",
      "10.1",
      "10.0.0.256",
      "1.2.3.4.5",
      "1..2.3",
      "\uff11.2.3.4",
    ],
    ...["fe80::1%eth0", "::1%", `::1%${"z".repeat(1_000_000)}`, "::%1.2.3.4"],
    ...[":", ":::", "1:", ":1", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::12345", "::g", "::-1", "::0x1"],
    ...["::1.2.3", "::01.2.3.4", "1.2.3.4::", "::1.2.3.4:5", "1:2:3:4:5:6:7:1.2.3.4"],
  ])("%j is not an address", (text) => {
    expect(parseAddress(text)).toBeNull();
  });

  test("reads and writes every IPv6 address as ipaddr.js does", () => {
    const groups = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(groups, fc.constantFrom("toString", "toNormalizedString", "toFixedLengthString" as "toString"), (parts, form) => {
        const expected = new ipaddr.IPv6(parts);
        const address = parseAddress(expected[form]()) as Address;
        expect(formatAddress(address)).toBe(ipaddr.process(expected.toString()).toString());
        expect(parseAddress(formatAddress(address))).toEqual(address);
      }),
      { numRuns: 1000 },
    );
  });

  test("reads only what ipaddr.js reads, with the same value", () => {
    const piece = fc.constantFrom("0", "1", "ff", "255", "10", "fFfF", ":", "::", ".", "%", "/", "x", " ");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 16 }), (pieces) => {
        const text = pieces.join("");
        const address = parseAddress(text);
        if (address !== null) expect(formatAddress(address)).toBe(ipaddr.process(text).toString());
      }),
      { numRuns: runCount(1000) },
    );
  });
});
