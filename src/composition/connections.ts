import { createAppConnections } from "../server/app-connections.ts";
import { connectionsWithin } from "../server/open-files.ts";
import type { Given } from "./given.ts";

/** Makes the connections of the API port: fewer than the setting allows if the process may not open so many files. */
export function openConnections({ config, log, maxOpenFiles }: Given): ReturnType<typeof createAppConnections> {
  const maxFiles = maxOpenFiles();
  const maxConnections = connectionsWithin(config.maxConnections, maxFiles);
  if (maxConnections < config.maxConnections) {
    log.warn({ maxConnections, maxOpenFiles: maxFiles }, "KEYWRIGHT_MAX_CONNECTIONS is lowered: the process may not open so many files");
  }
  return createAppConnections({ ...config, maxConnections }, (refused) => log.warn({ ...refused }, "connections refused"));
}
