import type { JsonObject } from "@bufbuild/protobuf";

/** A certificate that a client sent and that the configured authorities issued. */
export interface ClientCertificate {
  /** `certificate:` followed by the first URI of the SAN, or its first DNS name, or the subject. Safe to log. */
  readonly name: string;
  /** `uri` and `dns` of the SAN, and `subject` by attribute; each is a list. */
  readonly claims: JsonObject;
  /** Refused from this time on. */
  readonly expireTimeMs: number;
}

/** An invalid certificate. `refusal` is an OpenSSL code such as CERT_HAS_EXPIRED. */
export interface RefusedCertificate {
  readonly refusal: string;
}

/** Returns the certificate of a connection's client; undefined if it sent none, or if the connection is unknown. */
export type CertificateOf = (connection: object) => ClientCertificate | RefusedCertificate | undefined;
