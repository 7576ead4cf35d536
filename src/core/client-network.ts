import ipaddr from "ipaddr.js";

/** What one client usually holds whole: an IPv4 address, or the /64 of an IPv6 address. For what is no address, the text itself. */
export function clientNetwork(address: string): string {
  if (!ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  if (!(parsed instanceof ipaddr.IPv6)) return parsed.toString();
  return parsed.parts
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(":");
}
