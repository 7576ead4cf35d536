import { type Address, parseAddress } from "../core/address.ts";
import { invalidField } from "../error/failure.ts";

/** The `client_ip` of a request; null if it has none. Throws INVALID_REQUEST if it is no address. */
export function clientIpOf({ clientIp }: { readonly clientIp: string }): Address | null {
  if (clientIp === "") return null;
  const address = parseAddress(clientIp);
  if (address !== null) return address;
  throw invalidField("client_ip", "must be an IPv4 or IPv6 address such as 192.0.2.7 or 2001:db8::7, without a port or a zone");
}
