import { clientNetwork } from "../core/client-network.ts";
import { inAnyRange } from "../core/range-list.ts";
import { parseRemoteAddress } from "../http/client-address.ts";

/**
 * Returns the network whose share of connections a peer counts towards: its IPv4 address or IPv6 /64; null for a trusted proxy, "" if
 * unknown.
 */
export function peerShare(trustedProxies: readonly string[]): (remoteAddress: string) => string | null {
  return (remoteAddress) => {
    const address = parseRemoteAddress(remoteAddress);
    if (address === null) return "";
    return inAnyRange(address, trustedProxies) ? null : clientNetwork(address);
  };
}
