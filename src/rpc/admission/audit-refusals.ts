import type { Admission, Call } from "../../call/call.ts";
import { Failure } from "../../error/failure.ts";
import type { RefusalRecorder } from "../../service/refusal-recorder.ts";
import { contextOf } from "../context.ts";

/** Records calls that `admit` refuses in the audit trail. */
export function auditRefusals(refusals: Pick<RefusalRecorder, "record">, admit: Admission): Admission {
  const refuse = (call: Call, error: unknown): never => {
    if (error instanceof Failure) refusals.record(countedAs(call), contextOf(call).origin, error.reason);
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

/**
 * The name under which the caller is counted. Unknown callers, whom no rule matches, are counted together for each issuer, because some
 * issuers give anyone tokens with any number of names.
 */
function countedAs({ caller }: Call): string {
  if (caller === undefined) return "";
  return caller.roles.length > 0 ? caller.name : caller.name.slice(0, caller.name.indexOf(":") + 1);
}
