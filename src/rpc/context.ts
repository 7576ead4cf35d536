import type { Call } from "../call/call.ts";
import type { Origin } from "../core/audit.ts";
import { credentialMark } from "../core/credential-shape.ts";
import { defaultTenant } from "../core/tenant.ts";

/** The tenant of a call, and its origin. */
export interface CallContext {
  readonly tenant: string;
  /** Returns the origin for the audit trail. Lazy, because verifications have no audit event and are the most frequent calls. */
  readonly origin: () => Origin;
}

/** The context of a call. Every method implementation takes its tenant and its origin from here. */
export function contextOf(call: Call): CallContext {
  return { tenant: call.tenant ?? defaultTenant, origin: () => originOf(call) };
}

function originOf({ method, caller, clientAddress, requestId }: Call): Origin {
  // The caller chose the request id, and may have put a credential there by mistake.
  const safeRequestId = credentialMark.test(requestId) ? "[redacted]" : requestId;
  return { method: method.name, caller: caller?.name ?? "", clientAddress, requestId: safeRequestId };
}
