import { join } from "node:path";
import { publicPrefixOf } from "../core/credential-shape.ts";
import type { Config, GivenSecrets } from "./config.ts";
import { MalformedError, type RawValue } from "./parsers.ts";
import { keyPrefixesOf } from "./prefix.ts";
import { ConfigError } from "./problems.ts";
import { type RawSettings, rawSettings } from "./raw-settings.ts";
import { adminTokenOf } from "./secret-parsers.ts";
import { environmentName, type Setting, type SettingName, type SettingValues, settingNames, settings } from "./settings.ts";

export interface LoadedConfig {
  readonly config: Config;
  readonly given: GivenSecrets;
}

/**
 * The configuration of an environment and the text of a YAML file, in three steps: what was given, the value of each setting, and what
 * follows from them together. Throws ConfigError with every problem at once.
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

/** A setting whose value is malformed counts with its default, so that the rest can be checked. */
function settingValues(raw: RawSettings, problems: string[]): SettingValues {
  const values: Partial<Record<SettingName, unknown>> = {};
  for (const name of settingNames) {
    const setting: Setting<unknown> = settings[name];
    const given = raw[name];
    try {
      values[name] = given === undefined ? defaultValue(setting) : setting.parse(given.value as RawValue);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      problems.push(`${given?.origin}${error.at}: ${error.message}`);
      values[name] = defaultValue(setting);
    }
  }
  return values as SettingValues;
}

function defaultValue(setting: Setting<unknown>): unknown {
  return setting.default === null ? null : setting.parse(setting.default);
}

function combine(values: SettingValues, raw: RawSettings, problems: string[]): LoadedConfig {
  const nameOf = (name: SettingName) => raw[name]?.origin ?? environmentName(name);
  const { store, cache } = values;
  const tls = values.tls_cert_file !== null && values.tls_key_file !== null;
  const keyPrefixes = keyPrefixesOf(values.key_prefix, values.retired_key_prefixes);
  const secretTexts = [values.secret, ...values.secrets_retired.map(({ secret }) => secret)];
  const adminTokens = [...(values.admin_token === null ? [] : [adminTokenOf("admin", values.admin_token)]), ...(values.admin_tokens ?? [])];

  if (keyPrefixes === null) {
    problems.push(`${nameOf("retired_key_prefixes")}: must differ from ${nameOf("key_prefix")} and each other, also with _pub behind them`);
  }
  if (new Set(secretTexts).size < secretTexts.length) {
    problems.push(`${nameOf("secrets_retired")}: must differ from ${nameOf("secret")} and each other`);
  }
  if (new Set(adminTokens.map(({ name }) => name)).size < adminTokens.length && values.admin_token !== null) {
    problems.push(`${nameOf("admin_tokens")}: must not have a token named admin, the name of ${nameOf("admin_token")}`);
  }
  if (raw.tls_cert_file !== undefined && raw.tls_key_file === undefined) problems.push(`${nameOf("tls_key_file")}: is missing`);
  if (raw.tls_key_file !== undefined && raw.tls_cert_file === undefined) problems.push(`${nameOf("tls_cert_file")}: is missing`);
  if (store?.kind === "mongodb") {
    // Processes that share a store must agree on these, so none may make up its own.
    if (raw.secret === undefined) problems.push(`${nameOf("secret")}: is missing; with MongoDB nothing is generated`);
    if (raw.signing_keys === undefined) problems.push(`${nameOf("signing_keys")}: is missing; with MongoDB nothing is generated`);
    if (raw.admin_token === undefined && raw.admin_tokens === undefined) {
      problems.push(`${nameOf("admin_token")}: is missing; with MongoDB nothing is generated`);
    }
  }
  if (cache.kind === "redis" && store?.kind !== "mongodb") {
    problems.push(`${nameOf("cache")}: Redis needs a MongoDB store; an SQLite file is one process's own, and so is its cache`);
  }

  return {
    config: {
      host: values.host,
      port: values.port,
      dataDir: values.data_dir,
      store: store?.kind === "mongodb" ? { kind: "mongodb" } : (store ?? { kind: "sqlite", path: join(values.data_dir, "keywright.db") }),
      cache: cache.kind === "redis" ? { kind: "redis", topology: cache.topology } : { kind: cache.kind },
      cacheTtlMs: values.cache_ttl,
      cacheMaxEntries: values.cache_max_entries,
      bodyMemoryBytes: values.body_memory_mib * 1024 * 1024,
      keyPrefixes: keyPrefixes ?? { secret: values.key_prefix, public: publicPrefixOf(values.key_prefix), retired: [] },
      issuer: values.issuer ?? listenerUrl(tls, values.host, values.port),
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
      tls: tls ? { certFile: values.tls_cert_file as string, keyFile: values.tls_key_file as string } : null,
      defaultKeyTtlMs: values.default_ttl,
      maxKeys: values.max_keys,
      auditRetentionMs: values.audit_retention,
      drainTimeoutMs: values.drain_timeout,
    },
    given: {
      serverSecrets: { current: values.secret, retired: values.secrets_retired },
      adminTokens,
      signingKeys: values.signing_keys ?? [],
      storeUri: store?.kind === "mongodb" ? store.uri : null,
      cacheUri: cache.kind === "redis" ? cache.uri : null,
    },
  };
}

function listenerUrl(tls: boolean, host: string, port: number): string {
  return `${tls ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
