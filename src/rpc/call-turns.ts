import type { Call } from "../call/call.ts";
import { type Turns, turnsOfProcess, turnsWhile } from "../turns.ts";

/** Throws if nobody waits for the result of the call any more. The signal is made at the first use. */
export function endOf(call: Pick<Call, "signal">): () => void {
  return () => call.signal.throwIfAborted();
}

/** Turns for work that nobody needs once the call is over. They reject then. The signal is made only if the work takes several turns. */
export function turnsOf(call: Pick<Call, "signal">): Turns {
  return turnsWhile(turnsOfProcess, endOf(call));
}
