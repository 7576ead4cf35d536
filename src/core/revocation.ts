import type { KeyRecord, Revocation, RevocationReason } from "./key.ts";

/** A reason may be replaced by one of a higher rank: a key that turns out to be compromised must show it, whatever the first reason was. */
const ranks: Readonly<Record<RevocationReason, number>> = {
  superseded: 0,
  affiliation_changed: 1,
  privilege_withdrawn: 1,
  key_compromise: 2,
};

/**
 * Reports whether the key is already revoked as compromised and this is another such report. The report changes nothing, but the audit
 * trail records it.
 */
export function repeatsCompromise({ revocation: present }: Pick<KeyRecord, "revocation">, next: Revocation): boolean {
  return present?.reason === "key_compromise" && next.reason === "key_compromise";
}

/** Reports whether this revokes the key, or gives its revocation a more serious reason. */
export function changesRevocation({ revocation: present }: Pick<KeyRecord, "revocation">, next: Revocation): boolean {
  return present === null || ranks[next.reason] > ranks[present.reason];
}
