import { expect, test } from "vitest";
import { hostOf } from "../../src/http/host.ts";
import type { RequestHead } from "../../src/http/message.ts";

const trusted = ["10.0.0.0/8"];
const request = (remoteAddress: string, headers: Record<string, string>) => ({ socket: { remoteAddress }, headers }) as RequestHead;

test.each<[string, string, Record<string, string>, string]>([
  ["is that of Host, in lower case and without a port", "192.0.2.1", { host: "Keys.Acme.example:4430" }, "keys.acme.example"],
  ["is that of :authority, which HTTP/2 has", "192.0.2.1", { ":authority": "acme.example", host: "other.example" }, "acme.example"],
  ["has no dot at its end", "192.0.2.1", { host: "acme.example.:80" }, "acme.example"],
  ["keeps the brackets of an IPv6 address", "192.0.2.1", { host: "[2001:db8::1]:4430" }, "[2001:db8::1]"],
  ["is empty if there is none", "192.0.2.1", {}, ""],
  ["is what a trusted proxy forwards", "10.1.2.3", { host: "inside", "x-forwarded-host": "acme.example:443" }, "acme.example"],
  [
    "is what the nearest of several proxies forwards",
    "10.1.2.3",
    { host: "inside", "x-forwarded-host": "made-up, acme.example" },
    "acme.example",
  ],
  ["is its own if a trusted proxy forwards none", "10.1.2.3", { host: "acme.example" }, "acme.example"],
  ["is its own whatever a stranger forwards", "192.0.2.1", { host: "acme.example", "x-forwarded-host": "globex.example" }, "acme.example"],
])("the host of a call %s", (_what, peer, headers, expected) => {
  expect(hostOf(request(peer, headers), trusted)).toBe(expected);
});
