import { StartError } from "../error/start-error.ts";
import type { Listener } from "./listener.ts";

/** The names of the two settings of an address, for errors. */
export interface AddressSettings {
  readonly host: string;
  readonly port: string;
}

/** Listens at an address of the configuration. Rejects with a StartError that names the setting to change. */
export async function bind(
  listener: Pick<Listener, "listen">,
  { host, port }: { readonly host: string; readonly port: number },
  settings: AddressSettings,
): Promise<{ address: string; port: number }> {
  try {
    return await listener.listen(host, port);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new StartError(problemOf(code, host, port, settings), { cause: error });
  }
}

function problemOf(code: string, host: string, port: number, settings: AddressSettings): string {
  switch (code) {
    case "EADDRINUSE":
      return `${settings.port}: another process uses port ${port} of ${host} (${code}); stop it, or set another port`;
    case "EACCES":
      return `${settings.port}: this user may not listen on port ${port} (${code}); set a port above 1023`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return `${settings.host}: ${host} is not an address of this machine (${code})`;
    default:
      return `${settings.host}: cannot listen on port ${port} of ${host} (${code})`;
  }
}
