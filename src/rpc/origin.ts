import type { Call } from "../call/call.ts";
import type { Origin } from "../core/audit.ts";

/** Shapes of our own credentials and of JWTs. */
const credentialShape = /_v1_|kwadm_|eyJ/;

/** Who calls and how, for the audit trail. */
export function originOf({ method, caller, clientAddress, requestId }: Call): Origin {
  // The caller chose it: somebody may put a credential there by mistake.
  const safeRequestId = credentialShape.test(requestId) ? "[redacted]" : requestId;
  return { method: method.name, caller: caller?.name ?? "", clientAddress, requestId: safeRequestId };
}
