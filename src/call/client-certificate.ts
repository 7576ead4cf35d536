import type { JsonObject } from "@bufbuild/protobuf";

/** A certificate that a client showed, and that was issued by the configured authorities. */
export interface ClientCertificate {
  /** `certificate:` and the first URI of the SAN, else its first DNS name, else the subject. Safe to log. */
  readonly name: string;
  /** `uri` and `dns` of the SAN, and `subject` by attribute; each is a list. */
  readonly claims: JsonObject;
  /** From this moment on it is refused. */
  readonly expireTimeMs: number;
}

/** A certificate that does not hold. `refusal` is a word of OpenSSL such as CERT_HAS_EXPIRED. */
export interface RefusedCertificate {
  readonly refusal: string;
}

/** Returns what the client of a connection showed; undefined if it showed no certificate, or if the connection is not known. */
export type CertificateOf = (connection: object) => ClientCertificate | RefusedCertificate | undefined;
