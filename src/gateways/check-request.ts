import type { HeaderValue } from "../../gen/envoy/config/core/v3/base_pb.ts";
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
/** Also matches names that were meant to be ours. They are read as unknown demands, because ignoring a demand would open the route. */
const likeOurs = /^keywright(?![a-z0-9])/i;

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

/** Envoy joins several lines of a header with commas, or, with `encode_raw_headers`, sends each in `header_map`, as bytes. */
function headersOf(attributes: AttributeContext | undefined): HeaderReader {
  const http = attributes?.request?.http;
  if (http === undefined) throw invalidField("attributes.request.http", "is required");
  const { headers, headerMap } = http;
  const joined: HeaderReader = (name) => (Object.hasOwn(headers, name) ? headers[name] : undefined);
  if (headerMap === undefined) return joined;
  return (name) => {
    const lines = headerMap.headers.filter(({ key }) => key.toLowerCase() === name).map(textOf);
    const line = joined(name);
    if (line !== undefined) lines.push(line);
    return lines.length === 0 ? undefined : lines.join(",");
  };
}

function textOf({ value, rawValue }: HeaderValue): string {
  return rawValue.length === 0 ? value : Buffer.from(rawValue).toString("latin1");
}

function demandsIn(attributes: AttributeContext | undefined): [name: string, value: string][] {
  const demands: [string, string][] = [];
  for (const [name, value] of Object.entries(attributes?.contextExtensions ?? {})) {
    if (name.startsWith(demandPrefix)) demands.push([name.slice(demandPrefix.length), value]);
    else if (likeOurs.test(name)) demands.push([name, value]);
  }
  return demands;
}

/** Media types for which Envoy answers as gRPC does. It compares case and takes no parameters. gRPC-Web is not among them. */
const grpcType = /^application\/grpc(?:\+|$)/;

/** Reports whether the end user's request is a gRPC call. */
export function isGrpcCall({ attributes }: CheckRequest): boolean {
  if (attributes?.request?.http === undefined) return false;
  return grpcType.test(headersOf(attributes)("content-type") ?? "");
}

function peerOf(peer: AttributeContext_Peer | undefined) {
  const address = peer?.address?.address;
  return address?.case === "socketAddress" ? parseAddress(address.value.address) : null;
}
