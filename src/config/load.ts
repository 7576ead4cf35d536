import { availableParallelism } from "node:os";
import { join } from "node:path";
import ipaddr from "ipaddr.js";
import { publicPrefixOf } from "../core/credential-shape.ts";
import { cacheConfigOf, isSharedCache, storeConfigOf, storeTraits } from "./backends.ts";
import type { AdminToken, Config, GivenSecrets, StoreAddress, TlsFile, TlsFiles } from "./config.ts";
import { MalformedError, type RawValue } from "./parsers.ts";
import { keyPrefixesOf } from "./prefix.ts";
import { ConfigError } from "./problems.ts";
import { type RawSettings, rawSettings } from "./raw-settings.ts";
import { unknownRoles } from "./role-parsers.ts";
import { adminTokenOf } from "./secret-parsers.ts";
import { environmentName, type Setting, type SettingName, type SettingValues, settingNames, settings } from "./settings.ts";

export interface LoadedConfig {
  readonly config: Config;
  readonly given: GivenSecrets;
}

/**
 * Makes the configuration from an environment and the text of a YAML file, in three steps: the settings given, the value of each setting,
 * and the checks across settings. Throws ConfigError with every problem at once.
 */
export function loadConfig(
  environment: Readonly<Record<string, string | undefined>>,
  file: { readonly path: string; readonly text: string } | null = null,
): LoadedConfig {
  const problems: string[] = [];
  const raw = rawSettings(environment, file, problems);
  const values = settingValues(raw, problems);
  const loaded = combine(values, raw, problems);
  if (problems.length > 0) throw new ConfigError(problems);
  return loaded;
}

/** A malformed setting is replaced by its default, so that the rest can be checked. */
function settingValues(raw: RawSettings, problems: string[]): SettingValues {
  const values: Partial<Record<SettingName, unknown>> = {};
  for (const name of settingNames) {
    const setting: Setting<unknown> = settings[name];
    const given = raw[name];
    try {
      values[name] = given === undefined ? defaultValue(setting) : setting.parse(given.value as RawValue);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      problems.push(...[error, ...error.others].map(({ at, message }) => `${given?.origin}${at}: ${message}`));
      values[name] = defaultValue(setting);
    }
  }
  return values as SettingValues;
}

function defaultValue(setting: Setting<unknown>): unknown {
  return setting.default === null ? null : setting.parse(setting.default);
}

function combine(values: SettingValues, raw: RawSettings, problems: string[]): LoadedConfig {
  const { cache } = values;
  const store: StoreAddress = values.store ?? { kind: "sqlite", path: join(values.data_dir, "keywright.db") };
  const tls = tlsFilesOf(values, raw);
  const keyPrefixes = keyPrefixesOf(values.key_prefix, values.retired_key_prefixes);
  const adminTokens = adminTokensOf(values);
  checkTogether(values, raw, problems);
  checkBackends(store, values, raw, problems);

  return {
    config: {
      host: values.host,
      port: values.port,
      workers: values.workers === "auto" ? availableParallelism() : values.workers,
      roles: values.roles ?? {},
      adminIssuers: values.admin_issuers ?? [],
      adminCertificates: values.admin_certificates ?? [],
      adminIssuersPrivateAddresses: values.admin_issuers_private_addresses,
      maxConnections: values.max_connections,
      maxConnectionsPerAddress: values.max_connections_per_address,
      docs: values.docs ?? (isLoopback(values.host) ? "on" : "off"),
      reflection: values.reflection ?? (isLoopback(values.host) ? "on" : "admin"),
      dataDir: values.data_dir,
      store: storeConfigOf(store),
      cache: cacheConfigOf(cache),
      cacheTtlMs: values.cache_ttl,
      cacheMaxEntries: values.cache_max_entries,
      sqliteCacheMib: values.sqlite_cache_mib,
      bodyMemoryBytes: values.body_memory_mib * 1024 * 1024,
      keyPrefixes: keyPrefixes ?? { secret: values.key_prefix, public: publicPrefixOf(values.key_prefix), retired: [] },
      issuer: values.issuer ?? listenerUrl(tls !== null, values.host, values.port),
      signingKeysRefreshMs: values.signing_keys_refresh,
      signingKeysPrivateAddresses: values.signing_keys_private_addresses,
      trustedProxies: values.trusted_proxies,
      storeOutage: values.store_outage,
      rateLimitOutage: values.rate_limit_outage,
      failedVerifyLimit: values.failed_verify_limit,
      selfRevokeLimit: values.self_revoke_limit,
      derivedTokens: values.derived_tokens,
      clockSkewMs: values.clock_skew,
      unknownFields: values.unknown_fields,
      logLevel: values.log_level,
      logSampling: values.log_sampling,
      metrics: values.metrics_port === null ? null : { host: values.metrics_host, port: values.metrics_port },
      corsOrigins: values.cors_origins,
      tls,
      defaultKeyTtlMs: values.default_ttl,
      maxKeys: values.max_keys,
      auditRetentionMs: values.audit_retention,
      drainTimeoutMs: values.drain_timeout,
    },
    given: {
      serverSecrets: { current: values.secret, retired: values.secrets_retired },
      adminTokens,
      signingKeys: values.signing_keys ?? [],
      store,
      cache,
    },
  };
}

function adminTokensOf({ admin_token, admin_tokens }: SettingValues): AdminToken[] {
  return [...(admin_token === null ? [] : [adminTokenOf("admin", admin_token)]), ...(admin_tokens ?? [])];
}

/** Returns whether only this machine can connect to the host. */
function isLoopback(host: string): boolean {
  return host === "localhost" || (ipaddr.isValid(host) && ipaddr.process(host).range() === "loopback");
}

/** Adds problems between settings. */
function checkTogether(values: SettingValues, raw: RawSettings, problems: string[]): void {
  const nameOf = (name: SettingName) => raw[name]?.origin ?? environmentName(name);
  const secretTexts = [values.secret, ...values.secrets_retired.map(({ secret }) => secret)];

  if (keyPrefixesOf(values.key_prefix, values.retired_key_prefixes) === null) {
    problems.push(
      `${nameOf("retired_key_prefixes")}: must differ from ${nameOf("key_prefix")} and from each other, also with _pub appended`,
    );
  }
  if (new Set(secretTexts).size < secretTexts.length) {
    problems.push(`${nameOf("secrets_retired")}: must differ from ${nameOf("secret")} and from each other`);
  }
  if (values.admin_token !== null && values.admin_tokens?.some(({ name }) => name === "admin")) {
    problems.push(`${nameOf("admin_tokens")}: no token may be named admin, which is the name of ${nameOf("admin_token")}`);
  }
  const tokens = adminTokensOf(values);
  if (new Set(tokens.map(({ sha256 }) => Buffer.from(sha256).toString("hex"))).size < tokens.length) {
    problems.push(`${nameOf("admin_tokens")}: no two entries may have the same token, nor the one of ${nameOf("admin_token")}`);
  }
  problems.push(...unknownRoles("admin_tokens", values.admin_tokens ?? [], values.roles ?? {}));
  for (const [at, { rules }] of (values.admin_issuers ?? []).entries()) {
    problems.push(...unknownRoles(`admin_issuers[${at}].rules`, rules, values.roles ?? {}));
  }
  problems.push(...unknownRoles("admin_certificates", values.admin_certificates ?? [], values.roles ?? {}));
  checkTls(raw, nameOf, problems);
}

function checkTls(raw: RawSettings, nameOf: (name: SettingName) => string, problems: string[]): void {
  if (raw.tls_cert_file !== undefined && raw.tls_key_file === undefined)
    problems.push(`${nameOf("tls_key_file")}: required with ${nameOf("tls_cert_file")}`);
  if (raw.tls_key_file !== undefined && raw.tls_cert_file === undefined)
    problems.push(`${nameOf("tls_cert_file")}: required with ${nameOf("tls_key_file")}`);
  if (raw.tls_client_ca_file !== undefined && raw.tls_cert_file === undefined)
    problems.push(`${nameOf("tls_cert_file")}: required with ${nameOf("tls_client_ca_file")}`);
  if (raw.tls_client_crl_file !== undefined && raw.tls_client_ca_file === undefined)
    problems.push(`${nameOf("tls_client_ca_file")}: required with ${nameOf("tls_client_crl_file")}`);
  if (raw.admin_certificates !== undefined && raw.tls_client_ca_file === undefined)
    problems.push(`${nameOf("tls_client_ca_file")}: required with ${nameOf("admin_certificates")}`);
}

/** Adds problems between the store, the cache and other settings. */
function checkBackends(store: StoreAddress, { cache, workers }: SettingValues, raw: RawSettings, problems: string[]): void {
  const nameOf = (name: SettingName) => raw[name]?.origin ?? environmentName(name);
  const { title, isShared } = storeTraits[store.kind];
  if (isShared) {
    const missing = (name: SettingName) =>
      problems.push(`${nameOf(name)}: required with ${title}, because all processes must have the same`);
    if (raw.secret === undefined) missing("secret");
    if (raw.signing_keys === undefined) missing("signing_keys");
    if (raw.admin_token === undefined && raw.admin_tokens === undefined) missing("admin_token");
  }
  if (workers !== 1 && !isShared) {
    problems.push(`${nameOf("workers")}: more than one requires a MongoDB store, because only one process can use an SQLite file`);
  }
  if (isSharedCache[cache.kind] && !isShared) {
    problems.push(`${nameOf("cache")}: Redis requires a MongoDB store, because only one process can use an SQLite file`);
  }
}

/** Returns null for cleartext. */
function tlsFilesOf(values: SettingValues, raw: RawSettings): TlsFiles | null {
  const file = (name: "tls_cert_file" | "tls_key_file" | "tls_client_ca_file" | "tls_client_crl_file"): TlsFile | null => {
    const path = values[name];
    return path === null ? null : { path, setting: raw[name]?.origin ?? environmentName(name) };
  };
  const [certFile, keyFile] = [file("tls_cert_file"), file("tls_key_file")];
  if (certFile === null || keyFile === null) return null;
  return { certFile, keyFile, clientCaFile: file("tls_client_ca_file"), clientCrlFile: file("tls_client_crl_file") };
}

function listenerUrl(tls: boolean, host: string, port: number): string {
  return `${tls ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
