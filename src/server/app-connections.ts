import { type Connections, createConnections, type RefusedConnections } from "./connections.ts";
import { defaultLimits, type ListenerLimits } from "./limits.ts";
import { peerShare } from "./peer-share.ts";

export interface ConnectionSettings {
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  readonly trustedProxies: readonly string[];
}

/** Makes the limits and the connections of the API port from the settings. */
export function createAppConnections(
  { maxConnections, maxConnectionsPerAddress, trustedProxies }: ConnectionSettings,
  onRefused: (refused: RefusedConnections) => void,
): { readonly connections: Connections; readonly limits: ListenerLimits } {
  const reservedConnections = Math.ceil((maxConnections * defaultLimits.reservedConnections) / defaultLimits.maxConnections);
  const limits = { ...defaultLimits, maxConnections, maxConnectionsPerAddress, reservedConnections };
  return { limits, connections: createConnections({ limits, shareOf: peerShare(trustedProxies), onRefused }) };
}
