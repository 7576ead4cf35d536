import { type Element, signedParts, tags } from "./der.ts";
import { comparableName } from "./distinguished-name.ts";

/** The identity of a certificate. Only issuer and serial number together identify it: every authority counts by itself. */
export interface CertificateIds {
  /** As `serialOf` writes it. */
  readonly serial: string;
  /** Names as `comparableName` writes them. */
  readonly issuer: string;
  readonly subject: string;
}

/** Reads a certificate in DER. */
export function readCertificateIds(certificate: Buffer): CertificateIds {
  const parts = signedParts(certificate);
  // Serial number, algorithm, issuer, validity, subject. A certificate of version 1 has no version before them.
  const [serial, , issuer, , subject] = parts[0]?.tag === tags.context0 ? parts.slice(1) : parts;
  if (serial === undefined || issuer === undefined || subject === undefined) throw new Error("no subject");
  return { serial: serialOf(serial), issuer: comparableName(issuer), subject: comparableName(subject) };
}

/** Writes a serial number in one way, because some authorities write leading zeros. */
export function serialOf({ content }: Element): string {
  return content.toString("hex").replace(/^0+/, "");
}
