import { describe, expect, test } from "vitest";
import { clientAddress, guessAddress } from "../../src/http/client-address.ts";
import type { HttpRequest } from "../../src/http/message.ts";

const trusted = ["10.0.0.0/8", "2001:db8::/32"];
const request = (remoteAddress: string | undefined, forwardedFor?: string) =>
  ({ socket: { remoteAddress }, headers: forwardedFor === undefined ? {} : { "x-forwarded-for": forwardedFor } }) as unknown as HttpRequest;

describe("the client's address", () => {
  test.each<[string, string | undefined, string | undefined, string]>([
    ["is the peer's", "192.0.2.1", undefined, "192.0.2.1"],
    ["is the peer's, whatever an untrusted peer sends", "192.0.2.1", "198.51.100.9", "192.0.2.1"],
    ["is the address that a trusted proxy saw", "10.0.0.1", "198.51.100.9", "198.51.100.9"],
    ["is the rightmost that is not a trusted proxy", "10.0.0.1", "1.1.1.1, 198.51.100.9, 10.9.9.9", "198.51.100.9"],
    ["is the last proxy's if all are trusted", "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"],
    ["is the peer's if there is no header", "10.0.0.1", undefined, "10.0.0.1"],
    ["is IPv4 if it is mapped into IPv6", "::ffff:192.0.2.1", undefined, "192.0.2.1"],
    ["trusts mapped proxies too", "::ffff:10.0.0.1", "::ffff:198.51.100.9", "198.51.100.9"],
    ["walks IPv6 proxies", "2001:db8::5", "2001:DB9::7", "2001:db9::7"],
    ["is unknown if the connection is closed", undefined, "198.51.100.9", ""],
    ["has no zone", "fe80::1%eth0", undefined, "fe80::1"],
    ["is read without its port", "10.0.0.1", "198.51.100.9:4242, 10.1.2.3", "198.51.100.9"],
    ["is read without its port, in IPv6", "10.0.0.1", "[2001:db9::7]:65535, 10.1.2.3:1", "2001:db9::7"],
    ["is read in brackets", "10.0.0.1", "[2001:db9::7]", "2001:db9::7"],
    ["may have white space around it", "10.0.0.1", " \t198.51.100.9\t ,10.1.2.3", "198.51.100.9"],
  ])("%s", (_what, peer, forwardedFor, expected) => {
    expect(clientAddress(request(peer, forwardedFor), trusted)).toBe(expected);
  });

  test.each([
    ...["", " ", "unknown", "_hidden", "nonsense", "-", '"198.51.100.9"', "for=198.51.100.9", "198.51.100.9 10.0.0.1", "localhost"],
    ...["198.51.100.9:", "198.51.100.9:http", "198.51.100.9:65536", "198.51.100.9:-1", "198.51.100.9:1:2", "198.51.100.9/32"],
    ...[
      "[2001:db9::7",
      "2001:db9::7]",
      "[2001:db9::7]:",
      "[2001:db9::7]x",
      "[198.51.100.9]:80",
      "[]",
      "[]:80",
      "fe80::1%eth0",
      "[fe80::1%eth0]:80",
    ],
    ...["3405803785", "0xc6336409", "0306.063.0144.011", "198.51.25609", "198.51.100.009", "198.51.100.256"],
  ])("is unknown, and not the proxy's, if a trusted proxy sent %j", (hop) => {
    for (const header of [hop, `1.1.1.1, ${hop}`, `1.1.1.1, ${hop}, 10.1.2.3`, `10.1.2.3,${hop}`]) {
      expect(clientAddress(request("10.0.0.1", header), trusted), header).toBe("");
    }
    expect(clientAddress(request("10.0.0.1", `${hop}, 198.51.100.9`), trusted)).toBe("198.51.100.9");
  });

  test("is unknown if a hop in the middle is empty, because the client may have written what is left of it", () => {
    expect(clientAddress(request("10.0.0.1", "198.51.100.9,,10.1.2.3"), trusted)).toBe("");
    expect(clientAddress(request("10.0.0.1", "198.51.100.9,"), trusted)).toBe("");
  });

  test("is unknown if a trusted proxy sent no header over HTTP/2, where a header with a forbidden character is dropped", () => {
    const overHttp2 = (forwardedFor?: string) => ({ ...request("10.0.0.1", forwardedFor), stream: {} }) as HttpRequest;
    expect(clientAddress(overHttp2(), trusted)).toBe("");
    expect(clientAddress(overHttp2("198.51.100.9"), trusted)).toBe("198.51.100.9");
    expect(clientAddress(overHttp2(), ["192.0.2.0/24"])).toBe("10.0.0.1");
  });

  test("counts guesses by the peer's address if it is unknown", () => {
    const counted = (peer: string | undefined, header?: string) => {
      const head = { ...request(peer, header), stream: {} } as HttpRequest;
      return guessAddress(head, clientAddress(head, trusted));
    };
    expect(["10.0.0.1", "10.0.0.2", undefined].map((peer) => counted(peer))).toEqual(["10.0.0.1", "10.0.0.2", ""]);
    expect(counted("10.0.0.1", "198.51.100.9")).toBe("198.51.100.9");
    expect(counted("10.0.0.1", "nonsense")).toBe("10.0.0.1");
  });

  test("is the peer's if no proxy is trusted", () => {
    expect(clientAddress(request("10.0.0.1", "198.51.100.9"), [])).toBe("10.0.0.1");
  });
});
