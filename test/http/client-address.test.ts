import ipaddr from "ipaddr.js";
import { describe, expect, test } from "vitest";
import { type Cidr, clientAddress } from "../../src/http/client-address.ts";
import type { HttpRequest } from "../../src/http/message.ts";

const trusted: readonly Cidr[] = ["10.0.0.0/8", "2001:db8::/32"].map((cidr) => ipaddr.parseCIDR(cidr) as Cidr);
const request = (remoteAddress: string | undefined, forwardedFor?: string) =>
  ({ socket: { remoteAddress }, headers: forwardedFor === undefined ? {} : { "x-forwarded-for": forwardedFor } }) as unknown as HttpRequest;

describe("the client's address", () => {
  test.each<[string, string | undefined, string | undefined, string]>([
    ["is the peer's", "192.0.2.1", undefined, "192.0.2.1"],
    ["is the peer's whatever a stranger writes", "192.0.2.1", "198.51.100.9", "192.0.2.1"],
    ["is what a trusted proxy saw", "10.0.0.1", "198.51.100.9", "198.51.100.9"],
    ["is the rightmost that no trusted proxy has", "10.0.0.1", "1.1.1.1, 198.51.100.9, 10.9.9.9", "198.51.100.9"],
    ["is the last proxy's where all are trusted", "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"],
    ["is the proxy's where it says nothing", "10.0.0.1", undefined, "10.0.0.1"],
    ["is the proxy's where what it says is no address", "10.0.0.1", "1.1.1.1, unknown", "10.0.0.1"],
    ["reads no further than what is no address", "10.0.0.1", "1.1.1.1, nonsense, 10.0.0.2", "10.0.0.2"],
    ["is IPv4 where it is mapped into IPv6", "::ffff:192.0.2.1", undefined, "192.0.2.1"],
    ["trusts mapped proxies too", "::ffff:10.0.0.1", "::ffff:198.51.100.9", "198.51.100.9"],
    ["walks IPv6 proxies", "2001:db8::5", "2001:db9::7", "2001:db9::7"],
    ["is unknown where the connection is gone", undefined, "198.51.100.9", ""],
  ])("%s", (_what, peer, forwardedFor, expected) => {
    expect(clientAddress(request(peer, forwardedFor), trusted)).toBe(expected);
  });

  test("is the peer's where no proxy is trusted", () => {
    expect(clientAddress(request("10.0.0.1", "198.51.100.9"), [])).toBe("10.0.0.1");
  });
});
