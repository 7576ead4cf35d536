import { dayMs, hourMs, minuteMs, secondMs, yearMs } from "../core/time-units.ts";
import { cache, store } from "./backend-parsers.ts";
import { adminTokens } from "./caller-parsers.ts";
import { logLevels } from "./config.ts";
import { duration } from "./duration.ts";
import { adminCertificates, adminIssuers } from "./issuer-parsers.ts";
import { cidr, filePath, hostName, issuer, list, oneOf, origin, type Parser, share, text, wholeNumber, workerCount } from "./parsers.ts";
import { keyPrefix } from "./prefix.ts";
import { rate } from "./rate.ts";
import { customRoles } from "./role-parsers.ts";
import { bearerToken, jwkSetUri, retiredSecret, serverSecret } from "./secret-parsers.ts";

/** One setting. Its key in the table is its YAML member. Its environment variable is `KEYWRIGHT_` followed by the same in upper case. */
export interface Setting<T> {
  /** Text for docs/configuration.md and --help. */
  readonly description: string;
  /** Text to parse if nothing was given. If null, there is no default, and `defaultNote` says what happens. */
  readonly default: string | null;
  readonly defaultNote?: string;
  /** True if only YAML can hold the value. */
  readonly yamlOnly?: true;
  readonly parse: Parser<T>;
}

const maxPort = 65_535;

/** All settings. */
export const settings = {
  host: { default: "127.0.0.1", parse: text(hostName), description: "Address to listen on; `0.0.0.0` or `::` listens on all addresses." },
  port: { default: "4430", parse: text(wholeNumber(0, maxPort)), description: "TCP port; `0` takes a free one." },
  workers: {
    default: "1",
    parse: text(workerCount),
    description:
      "Processes that serve the port together: a number, or `auto` for one per CPU. More than one requires MongoDB. Limits of connections and memory hold for each.",
  },
  max_connections: {
    default: "10000",
    parse: text(wholeNumber(16, 1_000_000)),
    description:
      "Maximum client connections, but no more than the files that the process may open, less 256 or half of them. One address (IPv6: per /64) gets at most half. If all are taken, an anonymous one is closed for an address with few: see [Connections](../SECURITY.md#connections).",
  },
  max_connections_per_address: {
    default: "1000",
    parse: text(wholeNumber(1, 1_000_000)),
    description:
      "Maximum connections per address (IPv6: per /64) that have not yet carried a call with a valid token; further ones are closed. Trusted proxies have no such limit.",
  },
  reflection: {
    default: null,
    defaultNote: "`on` if `KEYWRIGHT_HOST` is a loopback address, else `admin`",
    parse: text(oneOf("on", "admin", "off")),
    description: "Who may use gRPC server reflection: `on` (everyone), `admin` (callers with the role `admin`) or `off` (nobody).",
  },
  docs: {
    default: null,
    defaultNote: "`on` if `KEYWRIGHT_HOST` is a loopback address, else `off`",
    parse: text(oneOf("on", "off")),
    description: "Whether `/docs` serves a page to read and try the API. `/openapi.json` is served in any case.",
  },
  data_dir: { default: "./data", parse: text(filePath), description: "Folder for the SQLite file and for generated secrets." },
  store: {
    default: null,
    defaultNote: "SQLite file in the data folder",
    parse: text(store),
    description: "Where keys are stored: `sqlite:///path`, `mongodb://...` or `mongodb+srv://...`.",
  },
  cache: {
    default: "memory",
    parse: text(cache),
    description: "Where keys are cached: `memory`, `none`, `redis://...`, `rediss://...`, `redis+sentinel://...` or `redis+cluster://...`.",
  },
  cache_ttl: {
    default: "60s",
    parse: text(duration(secondMs, dayMs)),
    description: "Maximum time for which a cached key is used without asking the store, other than in an outage of the store.",
  },
  cache_max_entries: {
    default: "100000",
    parse: text(wholeNumber(1, 10_000_000)),
    description: "Maximum keys in the memory cache, and maximum keys whose rate limits one process counts.",
  },
  sqlite_cache_mib: {
    default: "64",
    parse: text(wholeNumber(16, 1_048_576)),
    description: "Memory in MiB for pages of the SQLite file. At most 16 are used while the file is smaller than 1 GiB.",
  },
  secret: {
    default: null,
    defaultNote: "generated",
    parse: text(serverSecret),
    description: "Server secret of at least 32 characters. All processes of one store must have the same.",
  },
  secrets_retired: {
    default: "",
    parse: list(retiredSecret),
    description: "Former server secrets, separated by commas. Append `;expires=2026-01-31T00:00:00Z` to one that expires.",
  },
  admin_token: {
    default: null,
    defaultNote: "generated",
    parse: text(bearerToken),
    description: "Bearer token with the role `admin`, of at least 32 characters.",
  },
  admin_tokens: {
    default: null,
    defaultNote: "none",
    yamlOnly: true,
    parse: adminTokens,
    description:
      "More bearer tokens: a list of `{name, sha256, roles, tenants, expires, scope_ceiling}`, with the SHA-256 of each token in hex.",
  },
  admin_issuers: {
    default: null,
    defaultNote: "none",
    yamlOnly: true,
    parse: adminIssuers,
    description: "Issuers whose JWTs are accepted as bearer tokens: see [Callers](callers.md#tokens-of-an-identity-provider).",
  },
  admin_issuers_private_addresses: {
    default: "refuse",
    parse: text(oneOf("refuse", "allow")),
    description: "Whether keys of issuers may be fetched from private, loopback and link-local addresses: `refuse` or `allow`.",
  },
  admin_certificates: {
    default: null,
    defaultNote: "none",
    yamlOnly: true,
    parse: adminCertificates,
    description: "Rules for client certificates: see [Callers](callers.md#client-certificates).",
  },
  roles: {
    default: null,
    defaultNote: "none",
    yamlOnly: true,
    parse: customRoles,
    description: "Roles beside the built-in ones: for each name a list of methods, such as `[AdminVerifyApiKey]`.",
  },
  issuer: {
    default: null,
    defaultNote: "URL of the listener",
    parse: text(issuer),
    description: "Issuer (`iss`) of derived tokens. All processes of one store must have the same.",
  },
  signing_keys: {
    default: null,
    defaultNote: "generated",
    parse: list(jwkSetUri),
    description: "JWK Sets with private keys: `file://`, `https://` or `base64://` URIs, separated by commas.",
  },
  signing_keys_refresh: {
    default: "60s",
    parse: text(duration(secondMs, dayMs)),
    description: "Interval at which `file://` and `https://` sets are read again, give or take a tenth.",
  },
  signing_keys_private_addresses: {
    default: "refuse",
    parse: text(oneOf("refuse", "allow")),
    description: "Whether `https://` sets may be fetched from private, loopback and link-local addresses: `refuse` or `allow`.",
  },
  key_prefix: {
    default: "kw",
    parse: text(keyPrefix),
    description: "Prefix of new secret keys. New public keys have the same prefix followed by `_pub`.",
  },
  retired_key_prefixes: {
    default: "",
    parse: list(keyPrefix),
    description: "Former prefixes, separated by commas. Keys with these prefixes still verify.",
  },
  default_ttl: {
    default: null,
    defaultNote: "none",
    parse: text(duration(secondMs, 10 * yearMs)),
    description: "Time to live of keys that are issued or imported without a `ttl`. If neither is set, keys do not expire.",
  },
  max_keys: {
    default: null,
    defaultNote: "none",
    parse: text(wholeNumber(0, 1_000_000_000)),
    description: "Maximum number of keys that are not revoked; further ones are refused.",
  },
  audit_retention: { default: "400d", parse: text(duration(dayMs, 10 * yearMs)), description: "Time for which audit events are kept." },
  trusted_proxies: {
    default: "",
    parse: list(cidr),
    description:
      "CIDR ranges of trusted proxies, separated by commas (one address: `10.0.0.1/32`). The client's address is read from their `X-Forwarded-For`, from right to left.",
  },
  store_outage: {
    default: "serve",
    parse: text(oneOf("serve", "refuse")),
    description: "What verify does while the store is unavailable: `serve` (use cached keys for up to 60 s) or `refuse`.",
  },
  rate_limit_outage: {
    default: "open",
    parse: text(oneOf("open", "closed")),
    description:
      "What rate limits do while Redis is unavailable: `open` (each process enforces the whole quota alone) or `closed` (nothing is admitted).",
  },
  failed_verify_limit: {
    default: "1000/1m",
    parse: text(rate),
    description:
      "Maximum failed verifications (guesses) per `client_ip` (IPv6: per /64) per window; further ones are refused, and so are imported keys from there. `none` sets no limit.",
  },
  self_revoke_limit: {
    default: "300/1m",
    parse: text(rate),
    description:
      "Maximum self-revocations per window: per key for issued keys, per client address (IPv6: per /64) for everything else. `SelfInspect` has a separate limit of the same size per key. `none` sets no limit.",
  },
  derived_tokens: {
    default: "rooted",
    parse: text(oneOf("rooted", "stateless")),
    description: "When a derived token ends: `rooted` (with its root key, or at its own expiry) or `stateless` (at its own expiry only).",
  },
  clock_skew: {
    default: "30s",
    parse: text(duration(0, 5 * minuteMs)),
    description: "Maximum time by which `iat` and `nbf` of a derived token may lie in the future. Its expiry has no such grace.",
  },
  unknown_fields: {
    default: "reject",
    parse: text(oneOf("reject", "ignore")),
    description: "How unknown JSON members are handled: `reject` or `ignore`.",
  },
  body_memory_mib: {
    default: "128",
    parse: text(wholeNumber(64, 65_536)),
    description:
      "Maximum memory in MiB for the request bodies of calls in progress; further ones are refused with `TOO_MANY_BODIES`. One caller with a token gets half of it, and all callers without a valid token together get an eighth.",
  },
  cors_origins: {
    default: "",
    parse: list(origin),
    description: "Origins that browsers may call from, separated by commas. If none is given, CORS is off.",
  },
  tls_cert_file: {
    default: null,
    defaultNote: "none",
    parse: text(filePath),
    description: "File with the certificate chain in PEM. Turns TLS on.",
  },
  tls_key_file: {
    default: null,
    defaultNote: "none",
    parse: text(filePath),
    description: "File with the private key of the certificate in PEM.",
  },
  tls_client_ca_file: {
    default: null,
    defaultNote: "none",
    parse: text(filePath),
    description:
      "File with the authorities of client certificates in PEM. Clients are then asked for a certificate, and may still call without one.",
  },
  tls_client_crl_file: {
    default: null,
    defaultNote: "none",
    parse: text(filePath),
    description:
      "File with revocation lists in PEM, one of each authority of `tls_client_ca_file` and of each intermediate that clients send. Revoked certificates are refused.",
  },
  drain_timeout: {
    default: "10s",
    parse: text(duration(0, hourMs)),
    description: "Maximum time for which a shutdown waits for calls in progress.",
  },
  metrics_port: {
    default: null,
    defaultNote: "none",
    parse: text(wholeNumber(0, maxPort)),
    description: "Separate port for Prometheus, which serves `/metrics`; `0` takes a free one. If it is not set, metrics are not served.",
  },
  metrics_host: { default: "127.0.0.1", parse: text(hostName), description: "Address of the metrics port. It requires no token." },
  log_sampling: {
    default: "0",
    parse: text(share),
    description: "Share of successful reads and verifications that are logged at `info`, from 0 to 1.",
  },
  log_level: {
    default: "info",
    parse: text(oneOf(...logLevels)),
    description: "Minimum level of log lines, which are JSON on standard output.",
  },
} as const satisfies Record<string, Setting<unknown>>;

export type SettingName = keyof typeof settings;

/** The value of each setting; null if nothing was given and there is no default. */
export type SettingValues = {
  readonly [K in SettingName]: ReturnType<(typeof settings)[K]["parse"]> | ((typeof settings)[K]["default"] extends string ? never : null);
};

export const settingNames = Object.keys(settings) as readonly SettingName[];

export function environmentName(name: SettingName): string {
  return `KEYWRIGHT_${name.toUpperCase()}`;
}
