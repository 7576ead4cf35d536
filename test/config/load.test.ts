import { createHash } from "node:crypto";
import { resolve } from "node:path";
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import type { CacheAddress, StoreAddress } from "../../src/config/config.ts";
import { loadConfig } from "../../src/config/load.ts";
import { ConfigError } from "../../src/config/problems.ts";
import type { SettingName } from "../../src/config/settings.ts";

const secret = "s".repeat(32);
const otherSecret = "o".repeat(32);

function problemsOf(environment: Record<string, string>, yaml?: string): readonly string[] {
  try {
    loadConfig(environment, yaml === undefined ? null : { path: "keywright.yaml", text: yaml });
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

function fromYaml(yaml: string, environment: Record<string, string> = {}) {
  return loadConfig(environment, { path: "keywright.yaml", text: yaml });
}

test("without settings, everything has its default", () => {
  const { config, given } = loadConfig({});
  expect(config).toEqual({
    host: "127.0.0.1",
    port: 4430,
    workers: 1,
    roles: {},
    adminIssuers: [],
    adminCertificates: [],
    adminIssuersPrivateAddresses: "refuse",
    maxConnections: 10_000,
    maxConnectionsPerAddress: 1000,
    reflection: "on",
    docs: "on",
    dataDir: resolve("data"),
    store: { kind: "sqlite", path: resolve("data/keywright.db") },
    cache: { kind: "memory" },
    cacheTtlMs: 60_000,
    cacheMaxEntries: 100_000,
    sqliteCacheMib: 64,
    bodyMemoryBytes: 128 * 1024 * 1024,
    keyPrefixes: { secret: "kw", public: "kw_pub", retired: [] },
    issuer: "http://127.0.0.1:4430",
    signingKeysRefreshMs: 60_000,
    signingKeysPrivateAddresses: "refuse",
    trustedProxies: [],
    rateLimitOutage: "open",
    failedVerifyLimit: { quota: 1000n, windowMs: 60_000, unit: "requests" },
    selfRevokeLimit: { quota: 300n, windowMs: 60_000, unit: "requests" },
    storeOutage: "serve",
    derivedTokens: "rooted",
    clockSkewMs: 30_000,
    unknownFields: "reject",
    logLevel: "info",
    logSampling: 0,
    metrics: null,
    corsOrigins: [],
    tls: null,
    defaultKeyTtlMs: null,
    maxKeys: null,
    auditRetentionMs: 34_560_000_000,
    drainTimeoutMs: 10_000,
  });
  expect(given).toEqual({
    serverSecrets: { current: null, retired: [] },
    adminTokens: [],
    signingKeys: [],
    store: { kind: "sqlite", path: resolve("data/keywright.db") },
    cache: { kind: "memory" },
  });
});

test("spaces around a retired server secret and its expiry do not belong to it", () => {
  const { given } = loadConfig({
    KEYWRIGHT_SECRET: secret,
    KEYWRIGHT_SECRETS_RETIRED: ` ${otherSecret} ;expires=2026-01-31T00:00:00Z , ${"p".repeat(32)} `,
  });
  expect(given.serverSecrets.retired.map(({ secret }) => secret)).toEqual([otherSecret, "p".repeat(32)]);
});

test("the environment can set everything", () => {
  const { config, given } = loadConfig({
    KEYWRIGHT_HOST: "::1",
    KEYWRIGHT_PORT: "0",
    KEYWRIGHT_STORE: "sqlite:///var/lib/a%20b.db",
    KEYWRIGHT_SECRET: secret,
    KEYWRIGHT_SECRETS_RETIRED: `${otherSecret};expires=2026-01-31T00:00:00Z, ${"p".repeat(32)}`,
    KEYWRIGHT_ADMIN_TOKEN: "t".repeat(32),
    KEYWRIGHT_KEY_PREFIX: "acme_live",
    KEYWRIGHT_RETIRED_KEY_PREFIXES: "kw",
    KEYWRIGHT_TRUSTED_PROXIES: "10.0.0.0/8, 2001:db8::1/128",
    KEYWRIGHT_CORS_ORIGINS: "https://a.example,http://localhost:3000",
    KEYWRIGHT_DEFAULT_TTL: "1h30m",
    KEYWRIGHT_CACHE_TTL: "3600s",
    KEYWRIGHT_SIGNING_KEYS: "file:///keys.json,https://keys.example/jwks",
    KEYWRIGHT_TLS_CERT_FILE: "/tls/cert.pem",
    KEYWRIGHT_TLS_KEY_FILE: "/tls/key.pem",
    KEYWRIGHT_TLS_CLIENT_CA_FILE: "/tls/ca.pem",
    KEYWRIGHT_TLS_CLIENT_CRL_FILE: "/tls/crl.pem",
    KEYWRIGHT_TEST_ANYTHING: "is left alone",
    PATH: "/bin",
  });
  expect(config.store).toEqual({ kind: "sqlite", path: "/var/lib/a b.db" });
  expect(config.issuer).toBe("https://[::1]:0");
  expect(config.keyPrefixes).toEqual({ secret: "acme_live", public: "acme_live_pub", retired: ["kw", "kw_pub"] });
  expect(config.trustedProxies).toEqual(["10.0.0.0/8", "2001:db8::1/128"]);
  expect(config.corsOrigins).toEqual(["https://a.example", "http://localhost:3000"]);
  expect(config.defaultKeyTtlMs).toBe(5_400_000);
  expect(config.cacheTtlMs).toBe(3_600_000);
  expect(config.tls).toEqual({
    certFile: { path: "/tls/cert.pem", setting: "KEYWRIGHT_TLS_CERT_FILE" },
    keyFile: { path: "/tls/key.pem", setting: "KEYWRIGHT_TLS_KEY_FILE" },
    clientCaFile: { path: "/tls/ca.pem", setting: "KEYWRIGHT_TLS_CLIENT_CA_FILE" },
    clientCrlFile: { path: "/tls/crl.pem", setting: "KEYWRIGHT_TLS_CLIENT_CRL_FILE" },
  });
  expect(given.serverSecrets).toEqual({
    current: secret,
    retired: [
      { secret: otherSecret, expireTimeMs: Date.UTC(2026, 0, 31) },
      { secret: "p".repeat(32), expireTimeMs: null },
    ],
  });
  const sha256 = createHash("sha256").update("t".repeat(32)).digest();
  expect(given.adminTokens).toEqual([{ name: "admin", sha256, roles: ["admin"], tenants: "*", expireTimeMs: null, scopeCeiling: null }]);
  expect(given.signingKeys).toEqual(["file:///keys.json", "https://keys.example/jwks"]);
});

describe("the address of a store and a cache", () => {
  // A new kind does not compile until it has a line here.
  const stores = {
    sqlite: "sqlite:///var/lib/hunter2.db",
    mongodb: "mongodb://u:hunter2@db.example/keys?password=hunter2",
  } satisfies Record<StoreAddress["kind"], string>;
  const caches = {
    memory: "memory",
    none: "none",
    redis: "redis+sentinel://:hunter2@cache.example/main?sentinelPassword=hunter2",
  } satisfies Record<CacheAddress["kind"], string>;
  const shared = { KEYWRIGHT_SECRET: secret, KEYWRIGHT_ADMIN_TOKEN: "t".repeat(32), KEYWRIGHT_SIGNING_KEYS: "file:///keys.json" };

  test.each(Object.entries(stores))("%s: the secrets contain all of it, the config contains its kind and no password", (kind, address) => {
    const { config, given } = loadConfig({ ...shared, KEYWRIGHT_STORE: address });
    expect([config.store.kind, given.store.kind]).toEqual([kind, kind]);
    // A path is not a secret.
    if (config.store.kind === "sqlite") expect(config.store).toEqual(given.store);
    else expect(inspect(config, { depth: null })).not.toContain("hunter2");
    expect(JSON.stringify(given.store)).toContain("hunter2");
  });

  test.each(Object.entries(caches))("%s: the secrets contain all of it, the config contains its kind and no password", (kind, address) => {
    const { config, given } = loadConfig({ ...shared, KEYWRIGHT_STORE: stores.mongodb, KEYWRIGHT_CACHE: address });
    expect([config.cache.kind, given.cache.kind]).toEqual([kind, kind]);
    expect(inspect(config, { depth: null })).not.toContain("hunter2");
    if (address.includes("hunter2")) expect(given.cache).toMatchObject({ uri: address });
  });
});

test.each([
  ["10.0.0.1", '"10.0.0.1/32"'],
  ["10.0.0.1/8", '"10.0.0.0/8"'],
  ["2001:db8::1", '"2001:db8::1/128"'],
  ["2001:db8::1/32", '"2001:db8::/32"'],
])("trusted proxy %s: the problem names the correct form", (range, expected) => {
  expect(problemsOf({ KEYWRIGHT_TRUSTED_PROXIES: range })).toEqual([expect.stringContaining(expected)]);
  expect(problemsOf({}, `trusted_proxies: ["192.0.2.0/24", "${range}"]\n`)).toEqual([expect.stringContaining(expected)]);
});

describe("the YAML file", () => {
  test("has the same settings with scalars as in the environment, which overrides it", () => {
    const { config } = fromYaml("port: 8080\nhost: 0.0.0.0\ncache: none\ncors_origins: [https://a.example]\n", { KEYWRIGHT_PORT: "9090" });
    expect(config).toMatchObject({ port: 9090, host: "0.0.0.0", cache: { kind: "none" }, corsOrigins: ["https://a.example"] });
  });

  test("may be empty", () => {
    expect(fromYaml("# nothing\n").config.port).toBe(4430);
  });

  test("lists admin tokens by digest", () => {
    const yaml = `admin_tokens:\n  - name: gateway\n    sha256: ${"0a".repeat(32)}\n    roles: [verifier, auditor]\n`;
    expect(fromYaml(yaml).given.adminTokens).toEqual([
      {
        name: "gateway",
        sha256: Buffer.alloc(32, 0x0a),
        roles: ["verifier", "auditor"],
        tenants: ["default"],
        expireTimeMs: null,
        scopeCeiling: null,
      },
    ]);
  });

  test("lists admin tokens with all their members, and custom roles", () => {
    const token = `{ name: a, sha256: ${"0a".repeat(32)}, roles: [importer], tenants: ["*"], expires: 2026-01-31T00:00:00Z, scope_ceiling: [a, b] }`;
    const { given, config } = fromYaml(`roles: { importer: [AdminImportApiKey] }\nadmin_tokens: [${token}]\n`);
    expect(given.adminTokens).toMatchObject([
      { roles: ["importer"], tenants: "*", expireTimeMs: Date.UTC(2026, 0, 31), scopeCeiling: ["a", "b"] },
    ]);
    expect(config.roles).toEqual({ importer: ["AdminImportApiKey"] });
  });

  test.each([
    ["{ admin: [GetJwks] }", "roles.admin: is a built-in role, which cannot be changed"],
    ["{ importer: [] }", "roles.importer: must have at least one method"],
    ["{ importer: ['*'] }", "roles.importer: item 1 must be the name of a method such as AdminVerifyApiKey"],
    ["[importer]", "roles: must be a mapping of names to lists of methods"],
  ])("names the place of a problem with a role (%#)", (roles, problem) => {
    expect(problemsOf({}, `roles: ${roles}\n`)).toEqual([problem]);
  });

  test.each([
    ["- name: a\n    sha256: zz\n    roles: [admin]", "admin_tokens[0].sha256: must be the SHA-256 of the token as 64 hex digits"],
    [
      `- name: a\n    sha256: ${"00".repeat(32)}\n    roles: [root]`,
      "admin_tokens[0].roles: item 1 must be admin or issuer or verifier or auditor, or a role of the setting roles",
    ],
    [`- name: a\n    sha256: ${"00".repeat(32)}`, "admin_tokens[0].roles: must have at least one role"],
    [`- name: a\n    token: abc`, "admin_tokens[0].token: unknown member; must be name, sha256, roles, tenants, expires, scope_ceiling"],
    [`- just text`, "admin_tokens[0]: must be a mapping of name, sha256, roles, tenants, expires, scope_ceiling"],
  ])("names the place of a problem with a token (%#)", (item, problem) => {
    expect(problemsOf({}, `admin_tokens:\n  ${item}\n`)).toEqual([problem]);
  });

  test("names the problems of all entries of a list, also of nested ones", () => {
    const tokens = "admin_tokens: [{ name: a, sha256: zz, roles: [admin] }, just text]\n";
    const rule = "{ when: [{ claim: sub }, { claim: a, equals: b }, text], roles: [] }";
    const issuers = `admin_issuers: [{ name: a, issuer: "https://a.example", audience: b, rules: [${rule}, text] }, text]\n`;
    const [ofTokens, ofIssuers] = [problemsOf({}, tokens), problemsOf({}, issuers)];
    const placesOf = (problems: readonly string[]) => problems.map((problem) => problem.split(":")[0]);
    expect(placesOf(ofTokens)).toEqual(["admin_tokens[0].sha256", "admin_tokens[1]"]);
    const when = "admin_issuers[0].rules[0].when";
    expect(placesOf(ofIssuers)).toEqual([`${when}[0]`, `${when}[2]`, "admin_issuers[0].rules[1]", "admin_issuers[1]"]);
  });

  test("refuses a token in two entries, because its roles would be those of one of them", () => {
    const entry = (name: string, sha256: string) => `{ name: ${name}, sha256: ${sha256}, roles: [auditor] }`;
    const problem = /^admin_tokens: no two entries may have the same token, nor the one of KEYWRIGHT_ADMIN_TOKEN$/;
    const twice = `admin_tokens: [${entry("a", "0a".repeat(32))}, ${entry("b", "0A".repeat(32))}]\n`;
    expect(problemsOf({}, twice)).toEqual([expect.stringMatching(problem)]);
    const token = "t".repeat(32);
    const listed = `admin_tokens: [${entry("a", createHash("sha256").update(token).digest("hex"))}]\n`;
    expect(problemsOf({ KEYWRIGHT_ADMIN_TOKEN: token }, listed)).toEqual([expect.stringMatching(problem)]);
  });

  test("broken YAML is reported by place, without the text", () => {
    const problems = problemsOf({}, `port: 1\nsecret: "${secret}\n`);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^keywright\.yaml: line \d+, column \d+: invalid YAML \([A-Z_]+\)$/);
  });

  test.each(["- a\n", "text\n"])("must be a mapping (%j)", (yaml) => {
    expect(problemsOf({}, yaml)).toEqual(["keywright.yaml: must be a mapping of settings"]);
  });

  test("must not contain aliases", () => {
    expect(problemsOf({}, "host: &h 127.0.0.1\nissuer: *h\n")).toEqual(["keywright.yaml: must not contain aliases"]);
  });
});

describe("problems", () => {
  test("are reported all at once, each by the name that was given", () => {
    expect(
      problemsOf({ KEYWRIGHT_PORT: "eighty", KEYWRIGHT_HOTS: "x", KEYWRIGHT_CACHE: "memroy" }, "log_level: loud\ndata_dri: x\n"),
    ).toEqual([
      "data_dri: unknown setting; did you mean data_dir?",
      "KEYWRIGHT_HOTS: unknown setting; did you mean KEYWRIGHT_HOST?",
      "KEYWRIGHT_PORT: must be a whole number from 0 to 65535",
      "KEYWRIGHT_CACHE: must be memory, none, redis://..., rediss://..., redis+sentinel://... or redis+cluster://...",
      "log_level: must be trace or debug or info or warn or error or fatal or silent",
    ]);
  });

  test.each([
    ["KEYWRIGHT_PORT", "65536"],
    ["KEYWRIGHT_PORT", ""],
    ["KEYWRIGHT_PORT", "0x50"],
    ["KEYWRIGHT_HOST", "a b"],
    ["KEYWRIGHT_HOST", "1:2"],
    ["KEYWRIGHT_STORE", "sqlite://relative"],
    ["KEYWRIGHT_STORE", "postgres://x"],
    ["KEYWRIGHT_CACHE", "redis"],
    ["KEYWRIGHT_CACHE_TTL", "60"],
    ["KEYWRIGHT_CACHE_TTL", "0s"],
    ["KEYWRIGHT_DRAIN_TIMEOUT", "-1s"],
    ["KEYWRIGHT_RATE_LIMIT_OUTAGE", "half-open"],
    ["KEYWRIGHT_FAILED_VERIFY_LIMIT", "0/1m"],
    ["KEYWRIGHT_FAILED_VERIFY_LIMIT", "1000"],
    ["KEYWRIGHT_SELF_REVOKE_LIMIT", "10/1ms"],
    ["KEYWRIGHT_DEFAULT_TTL", "11y"],
    ["KEYWRIGHT_SECRET", ""],
    ["KEYWRIGHT_SECRET", "x".repeat(31)],
    ["KEYWRIGHT_SECRETS_RETIRED", `${secret};expires=tomorrow`],
    ["KEYWRIGHT_SECRETS_RETIRED", `${secret},`],
    ["KEYWRIGHT_ADMIN_TOKEN", "short"],
    ["KEYWRIGHT_ADMIN_TOKEN", `${"x".repeat(40)} y`],
    ["KEYWRIGHT_ISSUER", "keywright"],
    ["KEYWRIGHT_ISSUER", "https://u:p@example.com"],
    ["KEYWRIGHT_SIGNING_KEYS", "http://keys.example/jwks"],
    ["KEYWRIGHT_KEY_PREFIX", "Kw"],
    ["KEYWRIGHT_KEY_PREFIX", "mc"],
    ["KEYWRIGHT_KEY_PREFIX", "a_b_c_d"],
    ["KEYWRIGHT_KEY_PREFIX", "kw_"],
    ["KEYWRIGHT_RETIRED_KEY_PREFIXES", "kw"],
    ["KEYWRIGHT_RETIRED_KEY_PREFIXES", "kw_pub"],
    ["KEYWRIGHT_RETIRED_KEY_PREFIXES", "old,old"],
    ["KEYWRIGHT_TRUSTED_PROXIES", "10.0.0.0/33"],
    ["KEYWRIGHT_TRUSTED_PROXIES", "10.1/16"],
    ["KEYWRIGHT_TRUSTED_PROXIES", "fe80::%eth0/64"],
    ["KEYWRIGHT_SECRETS_RETIRED", `${otherSecret};expires=9999-12-31T23:59:59-01:00`],
    ["KEYWRIGHT_SECRETS_RETIRED", `${otherSecret};expires=0000-06-01T00:00:00Z`],
    ["KEYWRIGHT_STORE_OUTAGE", "Serve"],
    ["KEYWRIGHT_CORS_ORIGINS", "https://a.example/"],
    ["KEYWRIGHT_CORS_ORIGINS", "*"],
    ["KEYWRIGHT_ADMIN_TOKENS", "[]"],
  ])("%s=%j is refused, and the error names the setting", (name, value) => {
    const problems = problemsOf({ [name]: value });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(new RegExp(`^${name}: `));
  });

  test("name one TLS file without the other", () => {
    expect(problemsOf({ KEYWRIGHT_TLS_CERT_FILE: "/c" })).toEqual(["KEYWRIGHT_TLS_KEY_FILE: required with KEYWRIGHT_TLS_CERT_FILE"]);
    expect(problemsOf({}, "tls_key_file: /k\n")).toEqual(["KEYWRIGHT_TLS_CERT_FILE: required with tls_key_file"]);
    expect(problemsOf({}, "tls_client_crl_file: /k\n")).toEqual(["KEYWRIGHT_TLS_CLIENT_CA_FILE: required with tls_client_crl_file"]);
    expect(problemsOf({}, "tls_client_ca_file: /k\n")).toEqual(["KEYWRIGHT_TLS_CERT_FILE: required with tls_client_ca_file"]);
  });

  test.each([
    ["no file of authorities", "dns, equals: a", "admin", "KEYWRIGHT_TLS_CLIENT_CA_FILE: required with admin_certificates"],
    ["an unknown claim", "sub, equals: a", "admin", "admin_certificates[0]: claims must be uri, dns, or subject and"],
    ["an unknown role", "subject.CN, equals: a", "nobody", "admin_certificates[0].roles: item 1 must be admin or"],
  ])("rules for certificates with %s", (_, condition, role, problem) => {
    const rules = `admin_certificates:\n  - { when: [{ claim: ${condition} }], roles: [${role}] }\n`;
    const files = `tls_cert_file: /c\ntls_key_file: /k\n${problem.startsWith("KEYWRIGHT") ? "" : "tls_client_ca_file: /a\n"}`;
    expect(problemsOf({}, rules + files)).toEqual([expect.stringContaining(problem)]);
  });

  test("name an issuer called certificate, because callers with certificates have this prefix", () => {
    const rule = "{ when: [{ claim: sub, equals: a }], roles: [admin] }";
    const issuer = `{ name: certificate, issuer: "https://a.example", audience: a, rules: [${rule}] }`;
    expect(problemsOf({}, `admin_issuers: [${issuer}]\n`)).toEqual([expect.stringContaining("no issuer may be named certificate")]);
  });

  test("name retired secrets that equal the current one", () => {
    expect(problemsOf({ KEYWRIGHT_SECRET: secret, KEYWRIGHT_SECRETS_RETIRED: secret })).toEqual([
      "KEYWRIGHT_SECRETS_RETIRED: must differ from KEYWRIGHT_SECRET and from each other",
    ]);
  });

  test("name secrets missing with MongoDB, and Redis without MongoDB", () => {
    expect(problemsOf({ KEYWRIGHT_STORE: "mongodb://u:hunter2@db/keys", KEYWRIGHT_CACHE: "rediss://:hunter2@cache" })).toEqual([
      "KEYWRIGHT_SECRET: required with MongoDB, because all processes must have the same",
      "KEYWRIGHT_SIGNING_KEYS: required with MongoDB, because all processes must have the same",
      "KEYWRIGHT_ADMIN_TOKEN: required with MongoDB, because all processes must have the same",
    ]);
    expect(problemsOf({ KEYWRIGHT_CACHE: "rediss://:hunter2@cache" })).toEqual([
      "KEYWRIGHT_CACHE: Redis requires a MongoDB store, because only one process can use an SQLite file",
    ]);
  });

  test.each(["2", "auto"])("%s workers need MongoDB", (workers) => {
    expect(problemsOf({ KEYWRIGHT_WORKERS: workers })).toEqual([
      "KEYWRIGHT_WORKERS: more than one requires a MongoDB store, because only one process can use an SQLite file",
    ]);
  });

  test.each(["0", "257", "1.5", "all"])("%s is not a number of workers", (workers) => {
    expect(problemsOf({ KEYWRIGHT_WORKERS: workers })).toEqual(["KEYWRIGHT_WORKERS: must be auto or a whole number from 1 to 256"]);
  });

  test("never hold a value", () => {
    const marker = "hunter2";
    const environment = Object.fromEntries(
      ["SECRET", "SECRETS_RETIRED", "ADMIN_TOKEN", "SIGNING_KEYS", "STORE", "CACHE", "ISSUER", "PORT", "KEY_PREFIX", "CORS_ORIGINS"].map(
        (name) => [`KEYWRIGHT_${name}`, `${marker} ;expires=${marker}`],
      ),
    );
    const problems = problemsOf(environment, `admin_tokens: [{name: "${marker} ", sha256: ${marker}, roles: [${marker}]}]\n`);
    expect(problems.length).toBeGreaterThan(9);
    expect(problems.join("\n")).not.toContain(marker);
  });
});

describe("every setting has an effect", () => {
  const pem = { tls_cert_file: "/cert.pem", tls_key_file: "/key.pem" };
  const clientCa = { ...pem, tls_client_ca_file: "/ca.pem" };
  const mongodb = {
    store: "mongodb://db/keywright",
    secret,
    admin_token: "t".repeat(32),
    signing_keys: "file:///keys.json",
  };
  const sha256 = createHash("sha256").update("token").digest("hex");

  /** A value that is not the default, and the settings that it requires. Exhaustive: a setting without a sample does not compile. */
  const samples: Readonly<Record<SettingName, readonly [value: unknown, required?: Readonly<Record<string, string>>]>> = {
    host: ["127.0.0.2"],
    port: ["4431"],
    workers: ["2", mongodb],
    max_connections: ["9999"],
    max_connections_per_address: ["999"],
    reflection: ["off"],
    docs: ["off"],
    data_dir: ["/elsewhere"],
    store: ["sqlite:///elsewhere.db"],
    cache: ["none"],
    cache_ttl: ["59s"],
    cache_max_entries: ["99999"],
    sqlite_cache_mib: ["63"],
    secret: [secret],
    secrets_retired: [otherSecret],
    admin_token: ["t".repeat(32)],
    admin_tokens: [[{ name: "ci", sha256, roles: ["admin"] }]],
    admin_issuers: [
      [{ name: "a", issuer: "https://a.example", audience: "b", rules: [{ when: [{ claim: "sub", equals: "c" }], roles: ["admin"] }] }],
    ],
    admin_issuers_private_addresses: ["allow"],
    admin_certificates: [[{ when: [{ claim: "dns", equals: "a.example" }], roles: ["admin"] }], clientCa],
    roles: [{ reader: ["AdminVerifyApiKey"] }],
    issuer: ["https://keywright.example"],
    signing_keys: ["file:///keys.json"],
    signing_keys_refresh: ["61s"],
    signing_keys_private_addresses: ["allow"],
    key_prefix: ["acme"],
    retired_key_prefixes: ["acme"],
    default_ttl: ["90d"],
    max_keys: ["10"],
    audit_retention: ["399d"],
    trusted_proxies: ["10.0.0.0/8"],
    store_outage: ["refuse"],
    rate_limit_outage: ["closed"],
    failed_verify_limit: ["none"],
    self_revoke_limit: ["none"],
    derived_tokens: ["stateless"],
    clock_skew: ["29s"],
    unknown_fields: ["ignore"],
    body_memory_mib: ["127"],
    cors_origins: ["https://a.example"],
    tls_cert_file: ["/other.pem", pem],
    tls_key_file: ["/other.pem", pem],
    tls_client_ca_file: ["/ca.pem", pem],
    tls_client_crl_file: ["/crl.pem", clientCa],
    drain_timeout: ["9s"],
    metrics_port: ["9464"],
    metrics_host: ["127.0.0.2", { metrics_port: "9464" }],
    log_sampling: ["0.5"],
    log_level: ["debug"],
  };

  test.each(Object.entries(samples))("%s", (name, [value, required = {}]) => {
    // JSON is YAML.
    const loaded = (members: object) => fromYaml(JSON.stringify(members));
    expect(loaded({ ...required, [name]: value })).not.toEqual(loaded(required));
  });
});
