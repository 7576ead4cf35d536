import type { Admission, Call } from "./call.ts";

/** Calls `setKnown` with the connection of each call that is admitted with a valid token. */
export function noteKnownConnections(setKnown: (connection: object) => void, admit: Admission): Admission {
  const note = ({ caller, connection }: Call) => {
    if (caller !== undefined && connection !== undefined) setKnown(connection);
  };
  return (call) => {
    const pending = admit(call);
    if (pending !== undefined) return pending.then(() => note(call));
    note(call);
  };
}
