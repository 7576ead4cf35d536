import type { Admission } from "./call.ts";

/** Calls `setKnown` with the connection of each call that is admitted with a valid token. */
export function noteKnownConnections(setKnown: (connection: object) => void, admit: Admission): Admission {
  return (call) => {
    admit(call);
    if (call.caller !== undefined && call.connection !== undefined) setKnown(call.connection);
  };
}
