import { cache, store } from "./backend-parsers.ts";
import { logLevels } from "./config.ts";
import { duration } from "./duration.ts";
import { cidr, filePath, hostName, issuer, list, oneOf, origin, type Parser, share, text, wholeNumber } from "./parsers.ts";
import { keyPrefix } from "./prefix.ts";
import { rate } from "./rate.ts";
import { adminTokens, bearerToken, jwkSetUri, retiredSecret, serverSecret } from "./secret-parsers.ts";

/** One setting. Its key in the table is its YAML member; the environment variable is `KEYWRIGHT_` and the same in upper case. */
export interface Setting<T> {
  /** Sentence for docs/configuration.md and --help. */
  readonly description: string;
  /** Text that stands in where nothing is given; null: there is none, and `defaultNote` says what happens. */
  readonly default: string | null;
  readonly defaultNote?: string;
  /** True where only YAML can hold the value. */
  readonly yamlOnly?: true;
  readonly parse: Parser<T>;
}

const dayMs = 86_400_000;

/** Every setting there is. */
export const settings = {
  host: { default: "127.0.0.1", parse: text(hostName), description: "Address to listen on; `0.0.0.0` or `::` for all." },
  port: { default: "4430", parse: text(wholeNumber(0, 65_535)), description: "TCP port; 0 takes a free one." },
  max_connections: {
    default: "10000",
    parse: text(wholeNumber(16, 1_000_000)),
    description: "Maximum client connections; one address (IPv6: its /64) has at most half of them.",
  },
  max_connections_per_address: {
    default: "1000",
    parse: text(wholeNumber(1, 1_000_000)),
    description:
      "Maximum connections of one address (IPv6: its /64) by which no call with a valid token has come yet; trusted proxies have no such limit.",
  },
  reflection: {
    default: null,
    defaultNote: "`on` if `KEYWRIGHT_HOST` is a loopback address, else `admin`",
    parse: text(oneOf("on", "admin", "off")),
    description: "Who may use gRPC server reflection: `on` (everyone), `admin` (callers with the role `admin`) or `off` (nobody).",
  },
  data_dir: { default: "./data", parse: text(filePath), description: "Folder of the SQLite file and of generated secrets." },
  store: {
    default: null,
    defaultNote: "SQLite file in the data folder",
    parse: text(store),
    description: "`sqlite:///path`, `mongodb://...` or `mongodb+srv://...`.",
  },
  cache: {
    default: "memory",
    parse: text(cache),
    description: "`memory`, `none`, `redis://...`, `rediss://...`, `redis+sentinel://...` or `redis+cluster://...`.",
  },
  cache_ttl: {
    default: "60s",
    parse: text(duration(1000, dayMs)),
    description: "How long a cached key may be used without asking the store.",
  },
  cache_max_entries: {
    default: "100000",
    parse: text(wholeNumber(1, 10_000_000)),
    description: "Keys the memory cache holds at most, and keys whose rate limit one process counts.",
  },
  secret: { default: null, defaultNote: "generated", parse: text(serverSecret), description: "Server secret, at least 32 characters." },
  secrets_retired: {
    default: "",
    parse: list(retiredSecret),
    description: "Former server secrets, separated by commas, each with `;expires=2026-01-31T00:00:00Z` behind it where it expires.",
  },
  admin_token: {
    default: null,
    defaultNote: "generated",
    parse: text(bearerToken),
    description: "Bearer token with the role `admin`, at least 32 characters.",
  },
  admin_tokens: {
    default: null,
    defaultNote: "none",
    yamlOnly: true,
    parse: adminTokens,
    description: "List of `{name, sha256, roles}`: more bearer tokens, by the SHA-256 of each in hex.",
  },
  issuer: {
    default: null,
    defaultNote: "URL of the listener",
    parse: text(issuer),
    description: "`iss` of derived tokens; all processes of one store must have the same.",
  },
  signing_keys: {
    default: null,
    defaultNote: "generated",
    parse: list(jwkSetUri),
    description: "JWK Sets with private keys, separated by commas, as `file://`, `https://` or `base64://` URIs.",
  },
  signing_keys_refresh: {
    default: "60s",
    parse: text(duration(1000, dayMs)),
    description: "How often `file://` and `https://` sets are read again, a tenth more or less.",
  },
  signing_keys_private_addresses: {
    default: "refuse",
    parse: text(oneOf("refuse", "allow")),
    description: "Whether `https://` sets may come from private, loopback and link-local addresses: `refuse` or `allow`.",
  },
  key_prefix: {
    default: "kw",
    parse: text(keyPrefix),
    description: "Prefix of new secret keys; public keys get it with `_pub` behind it.",
  },
  retired_key_prefixes: {
    default: "",
    parse: list(keyPrefix),
    description: "Former prefixes, separated by commas, whose keys still verify.",
  },
  default_ttl: {
    default: null,
    defaultNote: "none",
    parse: text(duration(1000, 315_360_000_000)),
    description: "Life of keys issued without a `ttl`; without it they do not expire.",
  },
  max_keys: {
    default: null,
    defaultNote: "none",
    parse: text(wholeNumber(0, 1_000_000_000)),
    description: "Keys that there may be, not counting revoked ones.",
  },
  audit_retention: {
    default: "400d",
    parse: text(duration(dayMs, 315_360_000_000)),
    description: "How long audit events are kept.",
  },
  trusted_proxies: {
    default: "",
    parse: list(cidr),
    description:
      "CIDR ranges of proxies, separated by commas (one address: `10.0.0.1/32`), whose `X-Forwarded-For` is read from right to left for the client's address.",
  },
  store_outage: {
    default: "serve",
    parse: text(oneOf("serve", "refuse")),
    description: "What verify does with cached keys while the store is lost: `serve` (60 s) or `refuse`.",
  },
  rate_limit_outage: {
    default: "open",
    parse: text(oneOf("open", "closed")),
    description:
      "What rate limits do while Redis is lost: `open` (each process enforces the whole quota) or `closed` (nothing is admitted).",
  },
  failed_verify_limit: {
    default: "1000/1m",
    parse: text(rate),
    description:
      "Maximum guesses per `client_ip` (IPv6: per /64) per window; further ones are refused, and so are imported keys from there; or `none`.",
  },
  self_revoke_limit: {
    default: "300/1m",
    parse: text(rate),
    description:
      "Maximum self-revocations per window, of issued keys per key, of anything else per client address (IPv6: per /64); or `none`.",
  },
  derived_tokens: {
    default: "rooted",
    parse: text(oneOf("rooted", "stateless")),
    description: "`rooted`: a derived token dies with its root key; `stateless`: it lives to its own expiry.",
  },
  clock_skew: {
    default: "30s",
    parse: text(duration(0, 300_000)),
    description: "How far a derived token's `iat` and `nbf` may lie in the future; for its expiry there is no grace.",
  },
  unknown_fields: {
    default: "reject",
    parse: text(oneOf("reject", "ignore")),
    description: "What is done with unknown JSON members: `reject` or `ignore`.",
  },
  body_memory_mib: {
    default: "128",
    parse: text(wholeNumber(64, 65_536)),
    description:
      "MiB that request bodies which are being received may take up together; an eighth of it for callers without a valid token.",
  },
  cors_origins: {
    default: "",
    parse: list(origin),
    description: "Origins, separated by commas, that browsers may call from; none: no CORS.",
  },
  tls_cert_file: { default: null, defaultNote: "none", parse: text(filePath), description: "Certificate chain in PEM; turns TLS on." },
  tls_key_file: { default: null, defaultNote: "none", parse: text(filePath), description: "Private key of the certificate in PEM." },
  drain_timeout: {
    default: "10s",
    parse: text(duration(0, 3_600_000)),
    description: "How long a shutdown waits for calls under way.",
  },
  metrics_port: {
    default: null,
    defaultNote: "none",
    parse: text(wholeNumber(0, 65_535)),
    description: "Port of its own for Prometheus, `/metrics`; 0 takes a free one, without it none is opened.",
  },
  metrics_host: { default: "127.0.0.1", parse: text(hostName), description: "Address of the metrics port, which asks for no token." },
  log_sampling: {
    default: "0",
    parse: text(share),
    description: "Share of the successful reads and verifications that are logged at `info`, from 0 to 1.",
  },
  log_level: { default: "info", parse: text(oneOf(...logLevels)), description: "JSON lines on standard output from this level on." },
} as const satisfies Record<string, Setting<unknown>>;

export type SettingName = keyof typeof settings;

/** The value of each setting; null where nothing was given and there is no default. */
export type SettingValues = {
  readonly [K in SettingName]: ReturnType<(typeof settings)[K]["parse"]> | ((typeof settings)[K]["default"] extends string ? never : null);
};

export const settingNames = Object.keys(settings) as readonly SettingName[];

export function environmentName(name: SettingName): string {
  return `KEYWRIGHT_${name.toUpperCase()}`;
}
