import type { Call } from "../call/call.ts";
import { type Turns, turnsOfProcess, turnsWhile } from "../turns.ts";

/** Turns for work that nobody needs once the call is over. They reject then. The signal is made only if the work takes several turns. */
export function turnsOf(call: Pick<Call, "signal">): Turns {
  return turnsWhile(turnsOfProcess, () => call.signal.throwIfAborted());
}
