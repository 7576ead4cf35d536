import { expect, test } from "vitest";
import { type Address, parseAddress } from "../../src/core/address.ts";
import { clientNetwork } from "../../src/core/client-network.ts";

test.each([
  ["192.0.2.1", "192.0.2.1"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["::FFFF:c000:201", "192.0.2.1"],
  ["2001:db8::1", "2001:db8:0:0"],
  ["2001:DB8:0:0:ffff:ffff:ffff:ffff", "2001:db8:0:0"],
  ["2001:0db8:0000:0001::", "2001:db8:0:1"],
  ["::1", "0:0:0:0"],
  ["64:ff9b::192.0.2.1", "192.0.2.1"],
  ["0064:FF9B:0:0:0:0:C000:0202", "192.0.2.2"],
  ["64:ff9b:1::192.0.2.1", "64:ff9b:1:0"],
  ["64:ff9b:0:0:1::192.0.2.1", "64:ff9b:0:0"],
  ["0.100.255.155", "0.100.255.155"],
])("%s belongs to %s", (address, network) => {
  expect(clientNetwork(parseAddress(address) as Address)).toBe(network);
});
