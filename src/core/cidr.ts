import ipaddr from "ipaddr.js";

/** Whether `address` lies in one of the ranges. An address or range that cannot be read lies nowhere and holds nothing. */
export function inAnyRange(address: string, cidrs: readonly string[]): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  return cidrs.some((cidr) => {
    if (!ipaddr.isValidCIDR(cidr)) return false;
    const [network, prefixLength] = ipaddr.parseCIDR(cidr);
    return network.kind() === parsed.kind() && parsed.match(network, prefixLength);
  });
}

/** Whether a text is a CIDR range that everybody reads alike: four decimal numbers, or IPv6 without a zone. */
export function isCidr(text: string): boolean {
  return ipaddr.IPv4.isValidCIDRFourPartDecimal(text) || (ipaddr.IPv6.isValidCIDR(text) && !text.includes("%"));
}
