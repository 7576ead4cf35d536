import type { ClaimRule } from "../core/claim-rules.ts";
import type { KeyPrefixes } from "../core/credential.ts";
import type { RateLimitPolicy } from "../core/key.ts";
import type { ServerSecrets } from "../core/subkeys.ts";

export const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

export type RedisTopology = "single" | "sentinel" | "cluster";

/** Where keys are stored, with everything needed to open the store. The URI is complete for the driver and may contain a password. */
export type StoreAddress =
  | { readonly kind: "sqlite" /** Absolute. */; readonly path: string }
  | { readonly kind: "mongodb"; readonly uri: string };

/** The verifier cache, with everything needed to open it. */
export type CacheAddress =
  | { readonly kind: "memory" | "none" }
  | { readonly kind: "redis"; readonly topology: RedisTopology; readonly uri: string };

/** Keeps URIs, which may contain passwords, out of what may be logged: a type with a `uri` is not assignable. */
interface WithoutUri {
  readonly uri?: never;
}

/** Where keys are stored, without secrets; may be logged. */
export type StoreConfig = WithoutUri & ({ readonly kind: "sqlite" /** Absolute. */; readonly path: string } | { readonly kind: "mongodb" });

/** The verifier cache, without secrets; may be logged. */
export type CacheConfig = WithoutUri &
  ({ readonly kind: "memory" | "none" } | { readonly kind: "redis"; readonly topology: RedisTopology });

export interface TlsFile {
  /** Absolute. */
  readonly path: string;
  /** The setting, as errors name it. */
  readonly setting: string;
}

/** Files in PEM. */
export interface TlsFiles {
  /** Certificate chain, leaf first. */
  readonly certFile: TlsFile;
  readonly keyFile: TlsFile;
  /** Authorities of client certificates. Null: clients are not asked for a certificate. */
  readonly clientCaFile: TlsFile | null;
  /** Certificate revocation lists of the authorities. Null: no certificate is revoked. */
  readonly clientCrlFile: TlsFile | null;
}

/** Where metrics are served for Prometheus. */
export interface MetricsConfig {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
}

/** Who may use gRPC server reflection: everyone, callers with the role `admin`, or nobody. */
export type ReflectionAccess = "on" | "admin" | "off";

/** An issuer of JWTs whose subjects may call. */
export interface AdminIssuer {
  readonly name: string;
  readonly issuer: string;
  /** `aud` must contain one of these. */
  readonly audience: readonly string[];
  /** If null, the issuer's discovery document names it. */
  readonly jwksUri: string | null;
  readonly algorithms: readonly string[];
  readonly maxLifeMs: number;
  readonly rules: readonly ClaimRule[];
}

/** How the service runs. Contains no secret and may be logged in full. */
export interface Config {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** Processes that serve the port together; at least 1. */
  readonly workers: number;
  /** Roles beside the built-in ones: method names, by role. */
  readonly roles: Readonly<Record<string, readonly string[]>>;
  readonly adminIssuers: readonly AdminIssuer[];
  /** Rules for what client certificates grant. */
  readonly adminCertificates: readonly ClaimRule[];
  readonly adminIssuersPrivateAddresses: "refuse" | "allow";
  readonly maxConnections: number;
  /** Maximum connections from one address that have not carried a call with a valid token. */
  readonly maxConnectionsPerAddress: number;
  readonly reflection: ReflectionAccess;
  /** Whether the documentation page is served. */
  readonly docs: "on" | "off";
  /** Absolute. */
  readonly dataDir: string;
  readonly store: StoreConfig;
  readonly cache: CacheConfig;
  /** How long a cached record may be used without asking the store. */
  readonly cacheTtlMs: number;
  readonly cacheMaxEntries: number;
  readonly sqliteCacheMib: number;
  readonly bodyMemoryBytes: number;
  /** All prefixes differ. `retired` lists former prefixes in both forms: `old`, `old_pub`. */
  readonly keyPrefixes: KeyPrefixes;
  /** The `iss` claim of derived tokens. */
  readonly issuer: string;
  /** Interval at which JWK Sets that can change are read again. */
  readonly signingKeysRefreshMs: number;
  readonly signingKeysPrivateAddresses: "refuse" | "allow";
  /** CIDR ranges. */
  readonly trustedProxies: readonly string[];
  readonly storeOutage: "serve" | "refuse";
  readonly rateLimitOutage: "open" | "closed";
  /** Per `client_ip`; null: no limit. */
  readonly failedVerifyLimit: RateLimitPolicy | null;
  /** Per caller address; null: no limit. */
  readonly selfRevokeLimit: RateLimitPolicy | null;
  readonly derivedTokens: "rooted" | "stateless";
  /** Maximum time by which the start of a derived token may lie in the future. */
  readonly clockSkewMs: number;
  readonly unknownFields: "reject" | "ignore";
  readonly logLevel: LogLevel;
  /** Share of successful reads that are logged: 0 none, 1 all. */
  readonly logSampling: number;
  /** If null, metrics are not served. */
  readonly metrics: MetricsConfig | null;
  /** Origins as browsers send them. If empty, CORS is off. */
  readonly corsOrigins: readonly string[];
  /** Null: cleartext. */
  readonly tls: TlsFiles | null;
  /** Time to live of keys issued without a ttl; null: they do not expire. */
  readonly defaultKeyTtlMs: number | null;
  /** Maximum keys per tenant that are not revoked; null: unlimited. */
  readonly maxKeys: number | null;
  /** Time for which audit events are kept. */
  readonly auditRetentionMs: number;
  /** Maximum time for which a shutdown waits for calls in progress. */
  readonly drainTimeoutMs: number;
}

/** A bearer token for the Admin methods. Only its digest is stored. */
export interface AdminToken {
  /** Safe to log. */
  readonly name: string;
  /** 32 bytes. */
  readonly sha256: Uint8Array;
  /** Names of built-in roles, or of `Config.roles`. */
  readonly roles: readonly string[];
  /** Tenants for which it may act; "*": all. */
  readonly tenants: "*" | readonly string[];
  /** Refused from this time on; null: never. */
  readonly expireTimeMs: number | null;
  /** Scopes that it may grant to keys and tokens; null: all. */
  readonly scopeCeiling: readonly string[] | null;
}

/** Values that must never be logged, cached or sent. */
export interface Secrets {
  /** Each has at least 32 characters, and all differ. */
  readonly serverSecrets: ServerSecrets;
  /** At least one. */
  readonly adminTokens: readonly AdminToken[];
  /** URIs of JWK Sets with private keys: `file://`, `https://` or `base64://`. The URI of a generated set is a `file://` URI. */
  readonly signingKeys: readonly string[];
  readonly store: StoreAddress;
  readonly cache: CacheAddress;
}

/** The secrets as they were given. Null or empty values were not given and will be generated (bootstrap.ts). */
export interface GivenSecrets extends Omit<Secrets, "serverSecrets"> {
  readonly serverSecrets: { readonly current: string | null; readonly retired: ServerSecrets["retired"] };
}
