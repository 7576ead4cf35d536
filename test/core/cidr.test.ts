import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { describe, expect, test } from "vitest";
import { parseAddress } from "../../src/core/address.ts";
import { formatRange, parseRange, type Range } from "../../src/core/cidr.ts";
import { areRanges, inAnyRange } from "../../src/core/range-list.ts";

describe("parseRange", () => {
  test.each([
    ["10.0.0.0/8", "10.0.0.0/8"],
    ["0.0.0.0/0", "0.0.0.0/0"],
    ["::/0", "::/0"],
    ["2001:DB8::/32", "2001:db8::/32"],
    ["::ffff:10.0.0.0/104", "10.0.0.0/8"],
    ["::ffff:0:0/96", "0.0.0.0/0"],
    ["::ffff:10.0.0.1/128", "10.0.0.1/32"],
  ])("reads %s as %s", (text, expected) => {
    expect(formatRange(parseRange(text) as Range)).toBe(expected);
  });

  test.each([
    ["10.0.0.1", '"10.0.0.1/32"'],
    ["2001:DB8::1", '"2001:db8::1/128"'],
    ["::ffff:10.0.0.1", '"10.0.0.1/32"'],
    ["10.0.0.1/8", '"10.0.0.0/8"'],
    ["10.0.0.1/8", '"10.0.0.1/32"'],
    ["2001:db8::1/32", '"2001:db8::/32"'],
    ["2001:db8::1/32", '"2001:db8::1/128"'],
    ["::ffff:10.0.0.1/104", '"10.0.0.0/8"'],
    ["::ffff:10.0.0.1/8", '"10.0.0.0/8"'],
  ])("for %s it suggests %s", (text, suggestion) => {
    expect(parseRange(text)).toContain(suggestion);
  });

  test.each([
    ...["", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/+8", "10.0.0.0/8/8", "10.0.0.0/8 ", "10/8", "010.0.0.0/8"],
    ...["::/129", "fe80::%eth0/64", "::ffff:10.0.0.0/136", "167772160/8", "0x0a.0.0.0/8", `::/${"0".repeat(1_000_000)}`],
  ])("%j is not a range", (text) => {
    expect(parseRange(text)).toMatch(/^must be a range in CIDR notation/);
  });
});

describe("inAnyRange", () => {
  test.each<[string, string[], boolean]>([
    ["10.1.2.3", ["10.0.0.0/8"], true],
    ["11.1.2.3", ["10.0.0.0/8"], false],
    ["10.1.2.3", ["192.168.0.0/16", "10.1.2.3/32"], true],
    ["2001:db8::1", ["10.0.0.0/8", "2001:db8::/32"], true],
    ["2001:db9::1", ["2001:db8::/32"], false],
    ["::ffff:10.1.2.3", ["10.0.0.0/8"], true],
    ["10.1.2.3", ["::ffff:10.0.0.0/104"], true],
    ["11.1.2.3", ["::ffff:10.0.0.0/104"], false],
    ["10.1.2.3", ["::/0"], false],
    ["2001:db8::1", ["0.0.0.0/0"], false],
    ["10.1.2.3", ["0.0.0.0/0"], true],
    ["", ["0.0.0.0/0", "::/0"], false],
    ["10.1.2.3", [], false],
    ["10.1.2.3", ["nonsense", "10.0.0.0", "10.1.2.3/8"], false],
  ])("%j in %j: %s", (text, ranges, expected) => {
    expect(inAnyRange(parseAddress(text), ranges)).toBe(expected);
  });

  test("parses a list once, however often it is used", () => {
    let reads = 0;
    const list = new Proxy(["10.0.0.0/8", "2001:db8::/32"], {
      get(target, name, receiver) {
        if (name === "0" || name === "1") reads += 1;
        return Reflect.get(target, name, receiver);
      },
    });
    expect(areRanges(list)).toBe(true);
    const readsToParse = reads;
    for (const text of ["10.1.2.3", "2001:db8::1", "11.1.2.3"]) inAnyRange(parseAddress(text), list);
    expect([reads, readsToParse > 0]).toEqual([readsToParse, true]);
  });

  test("agrees with ipaddr.js on every address and prefix", () => {
    const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length }).map((array) => [...array]);
    const pair = fc.constantFrom(4, 16).chain((length) => fc.tuple(bytes(length), bytes(length), fc.integer({ min: 0, max: 8 * length })));
    fc.assert(
      fc.property(pair, fc.boolean(), ([first, second, bits], isNear) => {
        // Two random addresses share few bits, so they would mostly test addresses outside the range.
        const inside = isNear ? first.map((byte, index) => (index < bits / 8 - 1 ? byte : (second[index] as number))) : second;
        const network = ipaddr.fromByteArray(first);
        const address = ipaddr.fromByteArray(inside);
        const text = `${(network.kind() === "ipv4" ? ipaddr.IPv4 : ipaddr.IPv6).networkAddressFromCIDR(`${network}/${bits}`)}/${bits}`;
        fc.pre(typeof parseRange(text) !== "string" && ipaddr.process(`${address}`).kind() === network.kind());
        expect(inAnyRange(parseAddress(`${address}`), [text])).toBe(address.match([network, bits] as never));
      }),
      { numRuns: 2000 },
    );
  });
});
