import type { Call, Caller } from "../../call/call.ts";
import type { CertificateOf, ClientCertificate } from "../../call/client-certificate.ts";
import { type ClaimRule, grantsOf } from "../../core/claim-rules.ts";
import { defaultTenant } from "../../core/tenant.ts";
import { memoized } from "../../memoized.ts";
import type { Clock } from "../../ports/clock.ts";
import { callerWith } from "./grants.ts";
import type { Refusal } from "./refusal.ts";

export interface CertificateCallers {
  callerOf(call: Pick<Call, "connection" | "requestHeader">): Caller | Refusal;
}

/** Finds callers by the certificate of their connection. The rules are evaluated once per connection. */
export function createCertificateCallers(rules: readonly ClaimRule[], certificateOf: CertificateOf, clock: Clock): CertificateCallers {
  const outcomeOf = memoized(({ name, claims }: ClientCertificate): Caller | Refusal => {
    const grants = grantsOf(rules, claims, defaultTenant);
    return grants.length === 0 ? { unmatched: name } : callerWith(name, grants);
  }, new WeakMap<ClientCertificate, Caller | Refusal>());

  return {
    callerOf(call) {
      const { connection } = call;
      const certificate = connection === undefined ? undefined : certificateOf(connection);
      // A browser sends its certificate by itself, so a page of another site could call with it.
      if (certificate === undefined || call.requestHeader("origin") !== undefined) return "missing";
      if ("refusal" in certificate) return { certificate: certificate.refusal };
      if (certificate.expireTimeMs <= clock()) return { certificate: "CERT_HAS_EXPIRED" };
      return outcomeOf(certificate);
    },
  };
}
