import { randomBytes, randomUUID } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import type { DescMessage } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import { file_google_rpc_error_details } from "../gen/google/rpc/error_details_pb.ts";
import { Health } from "../gen/grpc/health/v1/health_pb.ts";
import { ApiKeysService } from "../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { RotateIssuedApiKeyRequestSchema } from "../gen/keywright/v2alpha1/issued_api_key_pb.ts";
import { openTokenKeys } from "./adapters/jwk-sets/token-keys.ts";
import { createMemoryLedger } from "./adapters/memory/ledger.ts";
import { createMemoryRecordCache } from "./adapters/memory/record-cache.ts";
import { type MongoKeyStore, openMongoKeyStore } from "./adapters/mongo/key-store.ts";
import { createNoRecordCache } from "./adapters/none/record-cache.ts";
import { openRedis } from "./adapters/redis/open.ts";
import { openSqliteKeyStore } from "./adapters/sqlite/key-store.ts";
import { createCurrentStore } from "./cache/current-store.ts";
import { createRecordReader } from "./cache/record-reader.ts";
import { soleProcessTrust } from "./cache/sole-process.ts";
import { createCacheTrust } from "./cache/trust.ts";
import { createMethodTable } from "./call/methods.ts";
import type { Config, Secrets } from "./config/config.ts";
import { ConfigError } from "./config/problems.ts";
import { createRpcHandler } from "./connect/rpc.ts";
import { createCredentials } from "./core/credential.ts";
import { createPageTokens } from "./core/page-token.ts";
import { deriveSubkeys } from "./core/subkeys.ts";
import { defaultTenant } from "./core/tenant.ts";
import { MalformedJwkSetsError } from "./core/token/jwk-set.ts";
import { createTokens } from "./core/token/tokens.ts";
import { createBodyBudget } from "./http/body-budget.ts";
import { createGuessLimit } from "./limit/guess-limit.ts";
import { createSharedRateLimiter } from "./limit/rate-limiter.ts";
import { createSelfRevokeLimits } from "./limit/self-revoke-limits.ts";
import type { KeyStore } from "./ports/key-store.ts";
import type { SharedLedger } from "./ports/ledger.ts";
import type { RateLimiter } from "./ports/rate-limiter.ts";
import type { TokenKeySource } from "./ports/token-keys.ts";
import { createJsonReader } from "./protojson/read.ts";
import { access } from "./rpc/access.ts";
import { auditRefusals } from "./rpc/interceptors/audit-refusals.ts";
import { authenticate } from "./rpc/interceptors/authenticate.ts";
import { noStore } from "./rpc/interceptors/no-store.ts";
import { createSampler, report, reportRefusals } from "./rpc/interceptors/report.ts";
import { validate } from "./rpc/interceptors/validate.ts";
import { createPatternMatcher } from "./rpc/patterns.ts";
import { maxBytes, maxJsonValues } from "./rpc/request-size.ts";
import { restSuccesses } from "./rpc/rest.ts";
import { implementationsOf } from "./rpc/routes.ts";
import { createViolationsOf, warmUp } from "./rpc/violations.ts";
import { createCors } from "./server/cors.ts";
import { createDispatcher } from "./server/dispatch.ts";
import { createHealthService } from "./server/health.ts";
import { createHealthHttp } from "./server/health-http.ts";
import { createHealthState, systemTimer } from "./server/health-state.ts";
import { defaultLimits } from "./server/limits.ts";
import { authorityOf, createListener } from "./server/listener.ts";
import { createMetricsServer } from "./server/metrics-server.ts";
import { createReflection } from "./server/reflection.ts";
import type { KeyService } from "./service/key-service.ts";
import { createRefusalRecorder } from "./service/refusal-recorder.ts";
import { createUsageFlush } from "./service/usage-flush.ts";
import { createUsageRecorder } from "./service/usage-recorder.ts";
import { createVerify } from "./service/verify.ts";
import { createVerifyMany } from "./service/verify-many.ts";
import type { Log } from "./telemetry/log.ts";
import { createMetrics } from "./telemetry/metrics/metrics.ts";
import { watch } from "./telemetry/metrics/watch.ts";
import { createTelemetry } from "./telemetry/telemetry.ts";
import { openTraces } from "./telemetry/traces/open.ts";
import { createTranscoder } from "./transcode/transcoder.ts";

export interface App {
  /** Starts to serve. `metricsUrl` is undefined where there are no metrics. */
  listen(): Promise<{ url: string; metricsUrl: string | undefined }>;
  /** Lets what runs finish, writes what is buffered, and lets go of everything. */
  close(): Promise<void>;
}

const flushIntervalMs = 1000;
const maxBufferedUses = 100_000;
/** Refused calls in the audit trail. */
const refusalBounds = { maxPerMinute: 10, maxBuffered: 1000 };
const negativeCacheTtlMs = 1000;
/** What the bounds of docs/guarantees.md are made of: a lease of 1 s, renewed four times in it. */
const cacheLease = { leaseMs: 1000, identityPatienceMs: 500 };
const trustTickMs = 250;
const storeOutageGraceMs = 60_000;
/** For how long Redis keeps an entry past its deadline: so that what replaced a record is there for as long as somebody may still fill it in. */
const sharedGraceMs = storeOutageGraceMs + 60_000;
const maxLimitedAddresses = 100_000;
const healthPing = { intervalMs: 5000, timeoutMs: 1000 };

/** The composition root: the only place that names concrete adapters. */
export async function createApp(config: Config, secrets: Secrets, log: Log, version: string): Promise<App> {
  const clock = Date.now;
  const tokenKeys = await openConfiguredTokenKeys(config, secrets, log);
  const monotonicMs = () => performance.now();
  const metrics = config.metrics === null ? null : createMetrics(version);
  const traces = await openTraces({ environment: process.env, version, log, metrics });
  const telemetry = createTelemetry(metrics, traces, monotonicMs);
  const { store: bareStore, shareable } = await openStore(config, secrets, clock, monotonicMs);
  const store = telemetry.keyStore(bareStore, config.store.kind);
  const credentials = createCredentials(secrets.serverSecrets, config.keyPrefixes, randomBytes);
  const graceMs = config.storeOutage === "serve" ? storeOutageGraceMs : 0;
  const local = config.cache.kind === "none" ? createNoRecordCache() : createMemoryRecordCache({ maxEntries: config.cacheMaxEntries });
  const redis =
    secrets.cacheUri === null || shareable === null
      ? null
      : await openRedis({ uri: secrets.cacheUri, namespace: shareable.storeId, graceMs: sharedGraceMs, clock, log });
  const shared = redis === null ? null : telemetry.sharedCache(redis.sharedCache);
  const trust =
    shareable === null
      ? soleProcessTrust
      : createCacheTrust({
          generations: telemetry.generations(shareable.cacheGeneration),
          shared,
          monotonicMs,
          ...cacheLease,
          graceMs,
          reset: () => local.clear(),
          createBeatId: randomUUID,
        });
  const reader = telemetry.reader(
    createRecordReader({
      store: createCurrentStore(store, trust),
      local,
      shared,
      trust,
      clock,
      monotonicMs,
      cacheTtlMs: config.cacheTtlMs,
      negativeCacheTtlMs,
      graceMs,
      observe: telemetry.observeRead,
    }),
  );
  const addresses = createMemoryLedger({ maxEntries: maxLimitedAddresses, monotonicMs });
  const usage = createUsageRecorder({ store, maxKeys: maxBufferedUses });
  const tokens = createTokens({
    issuer: config.issuer,
    keys: tokenKeys.current,
    macaroonKeys: deriveSubkeys(secrets.serverSecrets, "macaroon-root", store.tokenSalt),
  });
  const service: KeyService = {
    store,
    reader,
    credentials,
    tokens,
    pageTokens: createPageTokens(secrets.serverSecrets, randomBytes),
    clock,
    randomBytes,
    defaultKeyTtlMs: config.defaultKeyTtlMs,
  };

  const validator = createValidator({ regexMatch: createPatternMatcher() });
  warmUp(validator);
  const violationsOf = createViolationsOf(validator);
  const { bodyMemoryBytes, trustedProxies } = config;
  const guesses = createGuessLimit(addresses, "failed verify", config.failedVerifyLimit);
  const verifyOptions = {
    credentials,
    tokens,
    derivedTokens: config.derivedTokens,
    clockSkewMs: config.clockSkewMs,
    reader,
    usage,
    rateLimiter: createRateLimiter(config, redis && telemetry.sharedLedger(redis.ledger), monotonicMs),
    guesses,
    clock,
    reportUnanswered: (error: unknown) => log.error({ error }, "credentials of a batch could not be verified"),
  };
  const verification = {
    verify: telemetry.verify(createVerify(verifyOptions)),
    verifyMany: telemetry.verifyMany(createVerifyMany(verifyOptions)),
    issuer: config.issuer,
    reportUnanswered: verifyOptions.reportUnanswered,
  };
  const reporting = { log, clock, isSampled: createSampler(config.logSampling, Math.random), traceIdOf: telemetry.traceIdOf };
  const methods = createMethodTable(
    ApiKeysService,
    implementationsOf({
      service,
      verification,
      violationsOf,
      derivation: { ...verifyOptions, store, randomBytes },
      tokenKeys,
      selfRevokeLimits: createSelfRevokeLimits(addresses, config.selfRevokeLimit),
    }),
    [...telemetry.interceptors, report(reporting), noStore(ApiKeysService.methods), validate(violationsOf)],
  );

  const refusals = createRefusalRecorder({ audit: store.audit, tenant: defaultTenant, clock, randomBytes, log, ...refusalBounds });
  const authorized = auditRefusals(refusals, authenticate(secrets.adminTokens, access));
  const admit = telemetry.admission(reportRefusals(reporting, authorized));

  const health = createHealthState({ ping: () => store.ping(), timer: systemTimer, ...healthPing });
  const json = createJsonReader({
    unknownFields: config.unknownFields,
    maxValues: maxJsonValues,
    presenceMasks: new Map([[RotateIssuedApiKeyRequestSchema as DescMessage, RotateIssuedApiKeyRequestSchema.field.overrideMask]]),
  });
  const bodies = createBodyBudget({ maxBytes: bodyMemoryBytes, maxAnonymousBytes: bodyMemoryBytes / 8, maxInflations: 2 });
  const shutdown = new AbortController();
  const reportError = (error: unknown) => log.error({ error }, "a protocol handler failed");
  const rpc = createRpcHandler({
    methods,
    admit,
    services: [
      createHealthService(health, [ApiKeysService.typeName]),
      createReflection([ApiKeysService, Health], [file_google_rpc_error_details]),
    ],
    json,
    bodies,
    trustedProxies,
    maxBytes,
    shutdownSignal: shutdown.signal,
    reportError,
  });
  const listener = createListener({
    handler: createDispatcher({
      rpc: rpc.handler,
      isRpcPath: rpc.isRpcPath,
      health: createHealthHttp(health),
      transcoder: createTranscoder({ methods, admit, json, bodies, rest: restSuccesses, trustedProxies, maxBytes }),
      cors: createCors(config.corsOrigins),
    }),
    streamHandler: rpc.streamHandler,
    limits: defaultLimits,
    tls: config.tls === null ? undefined : { cert: readFileSync(config.tls.certFile), key: readFileSync(config.tls.keyFile) },
    onError: reportError,
  });

  const metricsServer = metrics === null ? null : createMetricsServer(metrics.registry, reportError);
  const unwatch =
    metrics === null
      ? null
      : watch(metrics, { trust, shared, usage, tokens, tokenKeys, refusals, bodies, log, connectionCount: listener.connectionCount });

  const flushUsage = createUsageFlush({ usage, log });
  const flush = () => Promise.all([flushUsage(), refusals.flush()]);
  const flushTimer = setInterval(() => void flush(), flushIntervalMs);
  await trust.tick();
  const trustTimer = setInterval(() => void trust.tick(), trustTickMs);

  return {
    async listen() {
      await health.check();
      health.start();
      const metricsUrl = config.metrics === null ? undefined : await metricsServer?.listen(config.metrics);
      const bound = await listener.listen(config.host, config.port);
      return { url: `${config.tls === null ? "http" : "https"}://${authorityOf(bound)}`, metricsUrl };
    },
    async close() {
      health.drain();
      shutdown.abort();
      await listener.drain(config.drainTimeoutMs);
      health.stop();
      tokenKeys.close();
      clearInterval(flushTimer);
      clearInterval(trustTimer);
      await flush();
      await shared?.close();
      await store.close();
      await traces?.close();
      await metricsServer?.close();
      unwatch?.();
    },
  };
}

async function openConfiguredTokenKeys(config: Config, { signingKeys }: Secrets, log: Log): Promise<TokenKeySource> {
  try {
    return await openTokenKeys({
      uris: signingKeys,
      refreshMs: config.signingKeysRefreshMs,
      allowsPrivateAddresses: config.signingKeysPrivateAddresses === "allow",
      random: Math.random,
      log,
    });
  } catch (error) {
    if (!(error instanceof MalformedJwkSetsError)) throw new Error(`KEYWRIGHT_SIGNING_KEYS: ${(error as Error).message}`);
    throw new ConfigError(error.problems.map((problem) => `KEYWRIGHT_SIGNING_KEYS: ${problem}`));
  }
}

/** `shareable` is null where no other process can use the store. */
async function openStore(
  config: Config,
  { storeUri }: Secrets,
  clock: () => number,
  monotonicMs: () => number,
): Promise<{ store: KeyStore; shareable: MongoKeyStore | null }> {
  const { auditRetentionMs, maxKeys } = config;
  if (config.store.kind === "sqlite") {
    mkdirSync(dirname(config.store.path), { recursive: true, mode: 0o700 });
    return { store: await openSqliteKeyStore({ path: config.store.path, clock, monotonicMs, auditRetentionMs, maxKeys }), shareable: null };
  }
  const store = await openMongoKeyStore({ uri: storeUri as string, clock, auditRetentionMs, maxKeys });
  return { store, shareable: store };
}

/** Without Redis each process counts by itself. */
function createRateLimiter(config: Config, shared: SharedLedger | null, monotonicMs: () => number): RateLimiter {
  const local = createMemoryLedger({ maxEntries: config.cacheMaxEntries, monotonicMs, isFollower: shared !== null });
  return shared === null ? local : createSharedRateLimiter({ local, shared, outage: config.rateLimitOutage });
}
