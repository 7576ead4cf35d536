import type { Call, Caller } from "../../call/call.ts";
import type { CertificateOf, ClientCertificate } from "../../call/client-certificate.ts";
import { type ClaimRule, grantsOf } from "../../core/claim-rules.ts";
import { defaultTenant } from "../../core/tenant.ts";
import type { Clock } from "../../ports/clock.ts";
import { callerWith } from "./grants.ts";
import type { Refusal } from "./refusal.ts";

export interface CertificateCallers {
  callerOf(call: Pick<Call, "connection" | "requestHeader">): Caller | Refusal;
}

/** Finds callers by the certificate of their connection. The rules are evaluated once per connection. */
export function createCertificateCallers(rules: readonly ClaimRule[], certificateOf: CertificateOf, clock: Clock): CertificateCallers {
  const known = new WeakMap<ClientCertificate, Caller | Refusal>();

  function outcomeOf(certificate: ClientCertificate): Caller | Refusal {
    const { name, claims } = certificate;
    const grants = grantsOf(rules, claims, defaultTenant);
    const outcome = grants.length === 0 ? { unmatched: name } : callerWith(name, grants);
    known.set(certificate, outcome);
    return outcome;
  }

  return {
    callerOf(call) {
      const { connection } = call;
      const certificate = connection === undefined ? undefined : certificateOf(connection);
      // A browser sends its certificate by itself, so a page of another site could call with it.
      if (certificate === undefined || call.requestHeader("origin") !== undefined) return "missing";
      if ("refusal" in certificate) return { certificate: certificate.refusal };
      if (certificate.expireTimeMs <= clock()) return { certificate: "CERT_HAS_EXPIRED" };
      return known.get(certificate) ?? outcomeOf(certificate);
    },
  };
}
