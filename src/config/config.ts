import type { ClaimRule } from "../core/claim-rules.ts";
import type { KeyPrefixes } from "../core/credential.ts";
import type { RateLimitPolicy } from "../core/key.ts";
import type { ServerSecrets } from "../core/subkeys.ts";

export const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

export type RedisTopology = "single" | "sentinel" | "cluster";

/** Where keys live, with all that it takes to open the store. A URI is whole: it is for the driver, and may hold a password. */
export type StoreAddress =
  | { readonly kind: "sqlite" /** Absolute. */; readonly path: string }
  | { readonly kind: "mongodb"; readonly uri: string };

/** The verifier cache, with all that it takes to open it. */
export type CacheAddress =
  | { readonly kind: "memory" | "none" }
  | { readonly kind: "redis"; readonly topology: RedisTopology; readonly uri: string };

/** Keeps a URI, and with it a password, out of what may be logged: an address that has one does not fit. */
interface WithoutUri {
  readonly uri?: never;
}

/** Where keys live, as far as it may be logged. */
export type StoreConfig = WithoutUri & ({ readonly kind: "sqlite" /** Absolute. */; readonly path: string } | { readonly kind: "mongodb" });

/** The verifier cache, as far as it may be logged. */
export type CacheConfig = WithoutUri &
  ({ readonly kind: "memory" | "none" } | { readonly kind: "redis"; readonly topology: RedisTopology });

export interface TlsFiles {
  /** PEM, the chain from the leaf on. Absolute. */
  readonly certFile: string;
  /** PEM. Absolute. */
  readonly keyFile: string;
  /** Authorities of client certificates, in PEM. Absolute. Null: clients are not asked for one. */
  readonly clientCaFile: string | null;
}

/** Where Prometheus finds the metrics. */
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
  /** One of them must be in `aud`. */
  readonly audience: readonly string[];
  /** Null: discovered from the issuer. */
  readonly jwksUri: string | null;
  readonly algorithms: readonly string[];
  readonly maxLifeMs: number;
  readonly rules: readonly ClaimRule[];
}

/** How the service runs. Holds no secret and may be logged whole. */
export interface Config {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** Roles beside the built-in ones: names of methods, by role. */
  readonly roles: Readonly<Record<string, readonly string[]>>;
  readonly adminIssuers: readonly AdminIssuer[];
  /** What client certificates give. */
  readonly adminCertificates: readonly ClaimRule[];
  readonly adminIssuersPrivateAddresses: "refuse" | "allow";
  readonly maxConnections: number;
  /** Of one address, and without a call with a valid token. */
  readonly maxConnectionsPerAddress: number;
  readonly reflection: ReflectionAccess;
  /** Absolute. */
  readonly dataDir: string;
  readonly store: StoreConfig;
  readonly cache: CacheConfig;
  /** How long a cached record may be used without asking the store. */
  readonly cacheTtlMs: number;
  readonly cacheMaxEntries: number;
  readonly bodyMemoryBytes: number;
  /** All of them differ; `retired` lists former prefixes in both forms: `old`, `old_pub`. */
  readonly keyPrefixes: KeyPrefixes;
  /** `iss` of derived tokens. */
  readonly issuer: string;
  /** How often JWK Sets that can change are read again. */
  readonly signingKeysRefreshMs: number;
  readonly signingKeysPrivateAddresses: "refuse" | "allow";
  /** CIDR ranges. */
  readonly trustedProxies: readonly string[];
  readonly storeOutage: "serve" | "refuse";
  readonly rateLimitOutage: "open" | "closed";
  /** By `client_ip`; null: not limited. */
  readonly failedVerifyLimit: RateLimitPolicy | null;
  /** By the caller's address; null: not limited. */
  readonly selfRevokeLimit: RateLimitPolicy | null;
  readonly derivedTokens: "rooted" | "stateless";
  /** How far the start of a derived token may lie in the future. */
  readonly clockSkewMs: number;
  readonly unknownFields: "reject" | "ignore";
  readonly logLevel: LogLevel;
  /** Of successful reads: 0 none, 1 all. */
  readonly logSampling: number;
  /** Null: there are no metrics. */
  readonly metrics: MetricsConfig | null;
  /** Origins as browsers send them, or none: CORS is off. */
  readonly corsOrigins: readonly string[];
  /** Null: cleartext. */
  readonly tls: TlsFiles | null;
  /** Life of keys issued without a ttl; null: they do not expire. */
  readonly defaultKeyTtlMs: number | null;
  /** Keys of a tenant that are not revoked, at most; null: as many as one likes. */
  readonly maxKeys: number | null;
  /** Time for which audit events are kept. */
  readonly auditRetentionMs: number;
  /** Maximum time for which a shutdown waits for calls in progress. */
  readonly drainTimeoutMs: number;
}

/** A bearer token for the Admin methods, known by its digest only. */
export interface AdminToken {
  /** Safe to log. */
  readonly name: string;
  /** 32 bytes. */
  readonly sha256: Uint8Array;
  /** Names of built-in roles, or of `Config.roles`. */
  readonly roles: readonly string[];
  /** Tenants that it may act for; "*": all. */
  readonly tenants: "*" | readonly string[];
  /** From this moment on it is refused. Null: never. */
  readonly expireTimeMs: number | null;
  /** Scopes that it may give to keys and tokens. Null: all. */
  readonly scopeCeiling: readonly string[] | null;
}

/** What must never be logged, cached or sent. */
export interface Secrets {
  /** Each at least 32 characters, all different. */
  readonly serverSecrets: ServerSecrets;
  /** At least one. */
  readonly adminTokens: readonly AdminToken[];
  /** URIs of JWK Sets with private keys: `file://`, `https://` or `base64://`. A generated set is a `file://` URI too. */
  readonly signingKeys: readonly string[];
  readonly store: StoreAddress;
  readonly cache: CacheAddress;
}

/** The secrets as they were given. Null or empty: not given, to be generated (bootstrap.ts). */
export interface GivenSecrets extends Omit<Secrets, "serverSecrets"> {
  readonly serverSecrets: { readonly current: string | null; readonly retired: ServerSecrets["retired"] };
}
