import type { CredentialKind } from "../core/credential-shape.ts";
import type { RefusalCode } from "../core/verdict.ts";
import type { Verified } from "../service/judge.ts";
import type { Verify } from "../service/verify.ts";
import type { VerifyMany } from "../service/verify-many.ts";

export interface ObserveVerifications {
  one(kind: CredentialKind, outcome: "valid" | RefusalCode): void;
  batch(size: number): void;
}

/** Observes the outcome of each verified credential. */
export function observedVerify(verify: Verify, observe: ObserveVerifications): Verify {
  return async (...given) => {
    const verified = await verify(...given);
    report(verified, observe);
    return verified;
  };
}

export function observedVerifyMany(verifyMany: VerifyMany, observe: ObserveVerifications): VerifyMany {
  return async (...given) => {
    const all = await verifyMany(...given);
    observe.batch(all.length);
    for (const verified of all) report(verified, observe);
    return all;
  };
}

function report({ kind, verdict }: Verified, observe: ObserveVerifications): void {
  observe.one(kind, verdict.isValid ? "valid" : verdict.code);
}
