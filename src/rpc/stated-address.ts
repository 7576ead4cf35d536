import { type Address, parseAddress } from "../core/address.ts";
import { invalidField } from "../error/failure.ts";

/**
 * The end user's address as the caller states it in `client_ip`. Null if the request has none. Throws INVALID_REQUEST if it is not an
 * address.
 */
export function statedAddressOf({ clientIp }: { readonly clientIp: string }): Address | null {
  if (clientIp === "") return null;
  const address = parseAddress(clientIp);
  if (address !== null) return address;
  throw invalidField("client_ip", "must be an IPv4 or IPv6 address such as 192.0.2.7 or 2001:db8::7, without a port or a zone");
}
