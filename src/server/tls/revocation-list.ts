import { serialOf } from "./certificate-ids.ts";
import { partsOf, signedParts, tags } from "./der.ts";
import { comparableName } from "./distinguished-name.ts";

/** The fields of a certificate revocation list (RFC 5280, section 5.1) that are used here. OpenSSL checks the rest, the signature too. */
export interface RevocationList {
  /** The name of the authority, as `comparableName` writes it. */
  readonly issuer: string;
  /** Serial numbers of revoked certificates, as `serialOf` writes them. */
  readonly serials: readonly string[];
}

/** Node cannot read such lists. Throws if `der` is not a list. */
export function readRevocationList(der: Buffer): RevocationList {
  const parts = signedParts(der);
  // Version, algorithm, issuer, times. A list of version 1 has no version.
  const [, issuer, , ...rest] = parts[0]?.tag === tags.integer ? parts.slice(1) : parts;
  if (issuer?.tag !== tags.sequence) throw new Error("no issuer");
  // The time of the next list is optional.
  const revoked = rest.find(({ tag }) => tag === tags.sequence)?.content ?? Buffer.alloc(0);
  const serials = partsOf(revoked).map(({ content }) => {
    const serial = partsOf(content)[0];
    if (serial?.tag !== tags.integer) throw new Error("no serial number");
    return serialOf(serial);
  });
  return { issuer: comparableName(issuer), serials };
}
