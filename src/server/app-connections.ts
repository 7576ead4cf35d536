import { clientNetwork } from "../core/client-network.ts";
import { type Cidr, canonicalAddress, isTrusted } from "../http/client-address.ts";
import { type Connections, createConnections, type RefusedConnections } from "./connections.ts";
import { defaultLimits, type ListenerLimits } from "./limits.ts";

export interface ConnectionSettings {
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  readonly trustedProxies: readonly Cidr[];
}

/** The limits and the connections of the port of the API, by its settings. */
export function createAppConnections(
  { maxConnections, maxConnectionsPerAddress, trustedProxies }: ConnectionSettings,
  onRefused: (refused: RefusedConnections) => void,
): { readonly connections: Connections; readonly limits: ListenerLimits } {
  const reservedConnections = Math.ceil((maxConnections * defaultLimits.reservedConnections) / defaultLimits.maxConnections);
  const limits = { ...defaultLimits, maxConnections, maxConnectionsPerAddress, reservedConnections };
  const shareOf = (remoteAddress: string): string | null => {
    const address = canonicalAddress(remoteAddress);
    return isTrusted(address, trustedProxies) ? null : clientNetwork(address);
  };
  return { limits, connections: createConnections({ limits, shareOf, onRefused }) };
}
