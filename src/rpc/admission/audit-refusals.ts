import type { Admission } from "../../call/call.ts";
import { Failure } from "../../error/failure.ts";
import type { RefusalRecorder } from "../../service/refusal-recorder.ts";
import { contextOf } from "../context.ts";

/** Records calls that `admit` refuses in the audit trail. */
export function auditRefusals(refusals: Pick<RefusalRecorder, "record">, admit: Admission): Admission {
  return (call) => {
    try {
      admit(call);
    } catch (error) {
      if (error instanceof Failure) refusals.record(call.caller?.name ?? "", contextOf(call).origin, error.reason);
      throw error;
    }
  };
}
