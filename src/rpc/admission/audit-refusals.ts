import type { Admission, Call } from "../../call/call.ts";
import { Failure } from "../../error/failure.ts";
import type { RefusalRecorder } from "../../service/refusal-recorder.ts";
import { contextOf } from "../context.ts";

/** Records calls that `admit` refuses in the audit trail. */
export function auditRefusals(refusals: Pick<RefusalRecorder, "record">, admit: Admission): Admission {
  const refuse = (call: Call, error: unknown): never => {
    if (error instanceof Failure) refusals.record(call.caller?.name ?? "", contextOf(call).origin, error.reason);
    throw error;
  };
  return (call) => {
    try {
      return admit(call)?.catch((error: unknown) => refuse(call, error));
    } catch (error) {
      return refuse(call, error);
    }
  };
}
