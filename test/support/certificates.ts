import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";

/** A certificate and its private key, in PEM. */
export interface Certificate {
  readonly cert: Buffer;
  readonly key: Buffer;
}

export interface CertificateOptions {
  readonly uris?: readonly string[];
  readonly dns?: readonly string[];
  /** IPv4 addresses. */
  readonly ips?: readonly string[];
  /** The common name first; further attributes are organizations. Default: none. */
  readonly subject?: readonly string[];
  readonly endsAt?: Date;
  /** The allowed usage of the certificate. Default: everything. */
  readonly usage?: "client" | "server";
  readonly isAuthority?: boolean;
  /** 1 to 127. Default: 1. */
  readonly serial?: number;
}

export interface Authority extends Certificate {
  issue(options: CertificateOptions): Certificate;
  /**
   * Signs a revocation list with these serial numbers, in PEM. Default of `endsAt`: in 2099. Default of `issuer`: the authority's name as in
   * its certificates.
   */
  revoke(serials: readonly number[], endsAt?: Date, issuer?: Buffer): Buffer;
  /** Signs the certificate of a subordinate authority, or, unless `isAuthority`, of a holder that only pretends to be one. */
  issueAuthority(name: string, isAuthority?: boolean): Authority;
}

const ecdsaWithSha256 = sequence(der(0x06, Buffer.from("2a8648ce3d040302", "hex")));
const extensionIds = { san: "551d11", basicConstraints: "551d13", extendedKeyUsage: "551d25" } as const;
const usageIds = { client: "2b06010505070302", server: "2b06010505070301" } as const;

/** An authority with a new P-256 key. Node can read X.509 but not write it. */
export function createAuthority(name: string): Authority {
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return authorityOf({ subject: [name], isAuthority: true }, keys, [name], keys.privateKey);
}

/** A self-signed certificate for one DNS name. */
export function selfSigned(dnsName: string): Certificate {
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return certificate({ dns: [dnsName], subject: [dnsName] }, keys, [dnsName], keys.privateKey);
}

interface Keys {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

function authorityOf(options: CertificateOptions, keys: Keys, issuer: readonly string[], issuerKey: KeyObject): Authority {
  const { subject = [] } = options;
  return {
    ...certificate(options, keys, issuer, issuerKey),
    issue: (options) => certificate(options, generateKeyPairSync("ec", { namedCurve: "P-256" }), subject, keys.privateKey),
    revoke: (serials, endsAt = new Date("2099-12-31"), issuer = nameOf(subject)) =>
      revocationList(issuer, keys.privateKey, serials, endsAt),
    issueAuthority: (name, isAuthority = true) =>
      authorityOf({ subject: [name], isAuthority }, generateKeyPairSync("ec", { namedCurve: "P-256" }), subject, keys.privateKey),
  };
}

function certificate(options: CertificateOptions, keys: Keys, issuer: readonly string[], issuerKey: KeyObject): Certificate {
  const toBeSigned = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([options.serial ?? 1])),
    ecdsaWithSha256,
    nameOf(issuer),
    sequence(timeOf(new Date("2020-01-01")), timeOf(options.endsAt ?? new Date("2099-12-31"))),
    nameOf(options.subject ?? []),
    keys.publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(...extensionsOf(options))),
  );
  const key = Buffer.from(keys.privateKey.export({ type: "pkcs8", format: "pem" }));
  return { cert: signed("CERTIFICATE", toBeSigned, issuerKey), key };
}

function revocationList(issuer: Buffer, issuerKey: KeyObject, serials: readonly number[], endsAt: Date): Buffer {
  const start = timeOf(new Date("2020-01-01"));
  const revoked = serials.map((serial) => sequence(der(0x02, Buffer.from([serial])), start));
  const list = revoked.length === 0 ? [] : [sequence(...revoked)];
  return signed("X509 CRL", sequence(der(0x02, Buffer.from([1])), ecdsaWithSha256, issuer, start, timeOf(endsAt), ...list), issuerKey);
}

/** Signs and writes in PEM. */
function signed(label: string, toBeSigned: Buffer, issuerKey: KeyObject): Buffer {
  const signature = sign("sha256", toBeSigned, issuerKey);
  const whole = sequence(toBeSigned, ecdsaWithSha256, der(0x03, Buffer.concat([Buffer.from([0]), signature])));
  const lines = whole.toString("base64").match(/.{1,64}/g) ?? [];
  return Buffer.from(`-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`);
}

function extensionsOf({ uris = [], dns = [], ips = [], usage, isAuthority = false }: CertificateOptions): Buffer[] {
  const names = [
    ...uris.map((uri) => der(0x86, Buffer.from(uri))),
    ...dns.map((name) => der(0x82, Buffer.from(name))),
    ...ips.map((ip) => der(0x87, Buffer.from(ip.split(".").map(Number)))),
  ];
  const extension = (id: keyof typeof extensionIds, value: Buffer) =>
    sequence(der(0x06, Buffer.from(extensionIds[id], "hex")), der(0x04, value));
  return [
    extension("basicConstraints", sequence(...(isAuthority ? [der(0x01, Buffer.from([0xff]))] : []))),
    ...(names.length === 0 ? [] : [extension("san", sequence(...names))]),
    ...(usage === undefined ? [] : [extension("extendedKeyUsage", sequence(der(0x06, Buffer.from(usageIds[usage], "hex"))))]),
  ];
}

/** A name in DER. `stringTag`: of UTF8String (12), or of a type with one byte for each character. */
export function nameOf([commonName, ...organizations]: readonly string[], stringTag = 0x0c): Buffer {
  const encoding = stringTag === 0x0c ? "utf8" : "latin1";
  const attribute = (id: string, value: string) =>
    der(0x31, sequence(der(0x06, Buffer.from(id, "hex")), der(stringTag, Buffer.from(value, encoding))));
  return sequence(
    ...(commonName === undefined ? [] : [attribute("550403", commonName)]),
    ...organizations.map((name) => attribute("55040a", name)),
  );
}

function timeOf(time: Date): Buffer {
  return der(0x18, Buffer.from(`${time.toISOString().replace(/\D/g, "").slice(0, 14)}Z`));
}

/** An element of DER. */
export function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const head = length < 128 ? [tag, length] : length < 256 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}

function sequence(...parts: Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}
