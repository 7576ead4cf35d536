import type { KeyRecord, Revocation, RevocationReason } from "./key.ts";

/** A reason may be replaced by one of a higher rank: what turns out to be a compromise must be seen as one, whatever was known before. */
const ranks: Readonly<Record<RevocationReason, number>> = {
  superseded: 0,
  affiliation_changed: 1,
  privilege_withdrawn: 1,
  key_compromise: 2,
};

/** Whether the key is known to be compromised, and this says so once more. Changes nothing, but is worth a line in the audit trail. */
export function repeatsCompromise({ revocation: present }: Pick<KeyRecord, "revocation">, next: Revocation): boolean {
  return present?.reason === "key_compromise" && next.reason === "key_compromise";
}

/** Whether the key would be revoked by this, or revoked for a graver reason than before. */
export function changesRevocation({ revocation: present }: Pick<KeyRecord, "revocation">, next: Revocation): boolean {
  return present === null || ranks[next.reason] > ranks[present.reason];
}
