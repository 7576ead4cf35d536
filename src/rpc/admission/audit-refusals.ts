import type { Admission } from "../../call/call.ts";
import { Failure } from "../../error/failure.ts";
import type { RefusalRecorder } from "../../service/refusal-recorder.ts";
import { contextOf } from "../context.ts";

/** Records in the audit trail whom `admit` refuses. */
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
