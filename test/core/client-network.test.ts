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
])("%s belongs to %s", (address, network) => {
  expect(clientNetwork(parseAddress(address) as Address)).toBe(network);
});
