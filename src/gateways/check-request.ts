import type { AttributeContext, AttributeContext_Peer } from "../../gen/envoy/service/auth/v3/attribute_context_pb.ts";
import type { CheckRequest } from "../../gen/envoy/service/auth/v3/external_auth_pb.ts";
import { parseAddress } from "../core/address.ts";
import { invalidField } from "../error/failure.ts";
import { endUserAddress } from "../http/client-address.ts";
import type { Question } from "./check.ts";
import type { DemandsReader } from "./demands.ts";
import { type HeaderReader, presentedKey } from "./presented-key.ts";

/** Names of our own entries in `context_extensions`. Others may be for other services. */
const demandPrefix = "keywright-";

/**
 * Reads Envoy's question. The demands are in `context_extensions`, which only Envoy's configuration writes. The end user's address is that
 * of the connection to Envoy, or, if that is a trusted proxy, the address behind it in X-Forwarded-For.
 */
export function questionOf({ attributes }: CheckRequest, readDemands: DemandsReader, trustedProxies: readonly string[]): Question {
  const headerOf = headersOf(attributes);
  const demands = readDemands(demandsIn(attributes));
  const clientIp = endUserAddress(peerOf(attributes?.source), headerOf("x-forwarded-for"), trustedProxies);
  return { demands, key: presentedKey(headerOf, demands.header), clientIp };
}

/** Envoy joins several lines of a header with commas, unless it is configured to send them raw. */
function headersOf(attributes: AttributeContext | undefined): HeaderReader {
  const http = attributes?.request?.http;
  if (http === undefined) throw invalidField("attributes.request.http", "is required");
  const { headers } = http;
  return (name) => (Object.hasOwn(headers, name) ? headers[name] : undefined);
}

function demandsIn(attributes: AttributeContext | undefined): [name: string, value: string][] {
  const demands: [string, string][] = [];
  for (const [name, value] of Object.entries(attributes?.contextExtensions ?? {})) {
    if (name.startsWith(demandPrefix)) demands.push([name.slice(demandPrefix.length), value]);
  }
  return demands;
}

function peerOf(peer: AttributeContext_Peer | undefined) {
  const address = peer?.address?.address;
  return address?.case === "socketAddress" ? parseAddress(address.value.address) : null;
}
