import { randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import type { DescMessage } from "@bufbuild/protobuf";
import { file_google_rpc_error_details } from "../gen/google/rpc/error_details_pb.ts";
import { Health } from "../gen/grpc/health/v1/health_pb.ts";
import { RotateIssuedApiKeyRequestSchema } from "../gen/keywright/v2alpha1/issued_api_key_pb.ts";
import { createLocalLimits, openCache, openConfiguredTokenKeys, openIssuerKeys, openStore } from "./adapters/open.ts";
import { createTrustedCache } from "./cache/trusted-cache.ts";
import { failureStatus } from "./call/error-details.ts";
import { noteKnownConnections } from "./call/known-connection.ts";
import { createMethodTable } from "./call/methods.ts";
import { type CallersConfig, callersOf } from "./callers.ts";
import type { Config, Secrets } from "./config/config.ts";
import { createRpcHandler } from "./connect/rpc.ts";
import { createServerStreamLane } from "./connect/server-stream-lane.ts";
import { createCredentials } from "./core/credential.ts";
import { createPageTokens } from "./core/page-token.ts";
import { deriveSubkeys } from "./core/subkeys.ts";
import { defaultTenant } from "./core/tenant.ts";
import { createTokens } from "./core/token/tokens.ts";
import { createBodyBudget } from "./http/body-budget.ts";
import { createIntrospection, introspectionPath } from "./introspection/introspect.ts";
import { createTenantGuessLimit } from "./limit/guess-limit.ts";
import { createSharedRateLimiter } from "./limit/rate-limiter.ts";
import { createSelfRevokeLimits } from "./limit/self-revoke-limits.ts";
import { createJsonReader } from "./protojson/read.ts";
import { auditRefusals } from "./rpc/admission/audit-refusals.ts";
import { authenticate, isAdmin } from "./rpc/admission/authenticate.ts";
import { resolveTenant } from "./rpc/admission/resolve-tenant.ts";
import { maxStreamMessageBytes } from "./rpc/body-bounds.ts";
import { createSampler, logCalls } from "./rpc/log-calls.ts";
import { isOfInstallation, isRead, maxBytes, maxJsonValues, successes } from "./rpc/method-table.ts";
import { services } from "./rpc/methods.ts";
import { overridesPresent } from "./rpc/rotate-issued-api-key.ts";
import { createMethods } from "./rpc/tables.ts";
import { createAppConnections } from "./server/app-connections.ts";
import { closeAll } from "./server/closing.ts";
import { createCors } from "./server/cors.ts";
import { createDispatcher } from "./server/dispatch.ts";
import { authorityOf, createListener } from "./server/listener.ts";
import { createMetricsServer } from "./server/metrics-server.ts";
import { createServerServices } from "./server/services.ts";
import type { KeyService } from "./service/key-service.ts";
import { createRefusalRecorder } from "./service/refusal-recorder.ts";
import { createTenantDirectory } from "./service/tenant-directory.ts";
import { createTenantSettings } from "./service/tenant-settings.ts";
import { createUsageFlush } from "./service/usage-flush.ts";
import { createUsageRecorder } from "./service/usage-recorder.ts";
import { createVerify } from "./service/verify.ts";
import { createVerifyMany } from "./service/verify-many.ts";
import type { Log } from "./telemetry/log.ts";
import { createMetrics } from "./telemetry/metrics/metrics.ts";
import { watchProcess } from "./telemetry/metrics/process.ts";
import { watch } from "./telemetry/metrics/watch.ts";
import { createTelemetry } from "./telemetry/telemetry.ts";
import { openTraces } from "./telemetry/traces/open.ts";
import { createTranscoder } from "./transcode/transcoder.ts";

export interface App {
  /** Starts to serve. `metricsUrl` is undefined if metrics are off. */
  listen(): Promise<{ url: string; metricsUrl: string | undefined }>;
  /** From now on these may call. Throws ConfigError, and changes nothing, if they have a problem. */
  replaceCallers(settings: CallersConfig): void;
  /** Finishes calls in progress, writes what is buffered, and closes everything, whatever fails. Rejects after that with what failed. */
  close(): Promise<void>;
}

/** What a test can replace. */
export interface Parts {
  readonly clock: () => number;
  readonly monotonicMs: () => number;
  readonly openStore: typeof openStore;
}

const ownParts: Parts = { clock: Date.now, monotonicMs: () => performance.now(), openStore };

const flushIntervalMs = 1000;
const maxBufferedUses = 100_000;
/** Refused calls in the audit trail. */
const refusalBounds = { maxPerMinute: 10, maxBuffered: 1000 };
const trustTickMs = 250;
const storeOutageGraceMs = 60_000;
/**
 * How long Redis keeps an entry past its deadline: what replaced a record must stay for as long as a process may still write the older
 * record.
 */
const sharedGraceMs = storeOutageGraceMs + 60_000;
const maxLimitedAddresses = 100_000;

/** The composition root. If it fails, it closes what it opened. */
export async function createApp(config: Config, secrets: Secrets, log: Log, version: string, overrides: Partial<Parts> = {}): Promise<App> {
  const closing = new AsyncDisposableStack();
  try {
    return await compose({ config, secrets, log, version, parts: { ...ownParts, ...overrides }, closing });
  } catch (error) {
    await closeAll(closing).catch((closeError: unknown) => log.error({ error: closeError }, "closing after a failed start failed"));
    throw error;
  }
}

interface Given {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly log: Log;
  readonly version: string;
  readonly parts: Parts;
  /** Takes everything that has to be closed. */
  readonly closing: AsyncDisposableStack;
}

async function compose({ config, secrets, log, version, parts, closing }: Given): Promise<App> {
  const { clock, monotonicMs } = parts;
  const keysOf = openIssuerKeys(config, monotonicMs, log);
  let callers = callersOf({ ...config, ...secrets }, keysOf, clock);
  const tokenKeys = await openConfiguredTokenKeys(config, secrets, log);
  closing.defer(() => tokenKeys.close());
  const metrics = config.metrics === null ? null : createMetrics(version);
  if (metrics !== null) closing.defer(watchProcess(metrics));
  const traces = await openTraces({ environment: process.env, version, log, metrics });
  closing.defer(() => traces?.close());
  const telemetry = createTelemetry(metrics, traces, monotonicMs);
  const reportError = telemetry.reportFaults(log);
  const metricsServer = metrics === null ? null : createMetricsServer(metrics.registry, reportError);
  closing.defer(() => metricsServer?.close());
  const { auditRetentionMs, maxKeys } = config;
  const tenantSettings = createTenantSettings();
  const storeOptions = { clock, monotonicMs, auditRetentionMs, maxKeys, tenantLimits: tenantSettings };
  const { store: bareStore, shareable } = await parts.openStore(secrets.store, storeOptions);
  closing.defer(() => bareStore.close());
  const store = telemetry.keyStore(bareStore, config.store.kind);
  const credentials = createCredentials(secrets.serverSecrets, config.keyPrefixes, randomBytes, tenantSettings.of);
  const graceMs = config.storeOutage === "serve" ? storeOutageGraceMs : 0;
  const maxEntries = config.cacheMaxEntries;
  const { local, redis } = await openCache(secrets.cache, { maxEntries, shareable, graceMs: sharedGraceMs, clock, log });
  const shared = redis === null ? null : telemetry.sharedCache(redis.sharedCache);
  closing.defer(() => shared?.close());
  const cache = createTrustedCache({
    store,
    generations: shareable === null ? null : telemetry.generations(shareable.cacheGeneration),
    local,
    shared,
    clock,
    monotonicMs,
    cacheTtlMs: config.cacheTtlMs,
    graceMs,
    createBeatId: randomUUID,
    observe: telemetry.observeRead,
  });
  const { trust } = cache;
  const reader = telemetry.reader(cache.reader);
  const isFollower = redis !== null;
  const localLimits = createLocalLimits({ maxKeys: maxEntries, maxAddresses: maxLimitedAddresses, monotonicMs, isFollower });
  const { addresses } = localLimits;
  const usage = createUsageRecorder({ store, maxKeys: maxBufferedUses });
  const tokens = createTokens({
    issuer: config.issuer,
    tenantIssuer: (tenant) => tenantSettings.of(tenant).issuer,
    keys: tokenKeys.current,
    macaroonKeys: deriveSubkeys(secrets.serverSecrets, "macaroon-root", store.tokenSalt),
  });
  const service: KeyService = {
    store,
    announcer: cache.announcer,
    credentials,
    tokens,
    pageTokens: createPageTokens(secrets.serverSecrets, randomBytes),
    clock,
    randomBytes,
    defaultKeyTtlMs: config.defaultKeyTtlMs,
    tenantSettings,
  };
  const directory = createTenantDirectory({ store, cache, settings: tenantSettings });

  const { bodyMemoryBytes, trustedProxies } = config;
  const guesses = createTenantGuessLimit(addresses, "failed verify", config.failedVerifyLimit, tenantSettings);
  const verifyOptions = {
    credentials,
    tokens,
    derivedTokens: config.derivedTokens,
    clockSkewMs: config.clockSkewMs,
    reader,
    usage,
    // Without Redis each process counts separately.
    rateLimiter:
      redis === null
        ? localLimits.keys
        : createSharedRateLimiter({
            local: localLimits.keys,
            shared: telemetry.sharedLedger(redis.ledger),
            outage: config.rateLimitOutage,
          }),
    guesses,
    clock,
    reportUnanswered: (error: unknown) => log.error({ error }, "credentials of a batch could not be verified"),
  };
  const verification = {
    verify: telemetry.verify(createVerify(verifyOptions)),
    verifyMany: telemetry.verifyMany(createVerifyMany(verifyOptions)),
    issuerOf: tokens.issuerOf,
    reportUnanswered: verifyOptions.reportUnanswered,
  };
  const methods = createMethods({
    service,
    verification,
    derivation: { ...verifyOptions, store, randomBytes },
    tokenKeys,
    selfRevokeLimits: createSelfRevokeLimits(addresses, config.selfRevokeLimit),
    directory,
    keyPrefixes: config.keyPrefixes,
    outer: telemetry.interceptors,
  });

  const refusals = createRefusalRecorder({ audit: store.audit, tenant: defaultTenant, clock, randomBytes, log, ...refusalBounds });
  const authenticated = authenticate(() => callers, clock);
  const authorized = auditRefusals(refusals, resolveTenant(directory, isOfInstallation, authenticated));
  const isSampled = createSampler(config.logSampling, Math.random);
  const { connections, limits } = createAppConnections(config, (refused) => log.warn({ ...refused }, "connections refused"));
  const logged = logCalls({ log, monotonicMs, isRead, isSampled, traceIdOf: telemetry.traceIdOf });
  const admit = noteKnownConnections(connections.setKnown, telemetry.admission(authorized, logged));

  const json = createJsonReader({
    unknownFields: config.unknownFields,
    maxValues: maxJsonValues,
    presenceMasks: new Map([[RotateIssuedApiKeyRequestSchema as DescMessage, overridesPresent]]),
  });
  const bodies = createBodyBudget({ maxBytes: bodyMemoryBytes, maxAnonymousBytes: bodyMemoryBytes / 8, maxInflations: 2 });
  const shutdown = new AbortController();
  const server = createServerServices({
    ping: () => store.ping(),
    services,
    otherFiles: [file_google_rpc_error_details],
    reflection: config.reflection,
    isAdmin: (authorization) => isAdmin(callers, authorization, clock),
    monotonicMs,
  });
  const rpc = createRpcHandler({
    methods,
    admit,
    openMethods: createMethodTable(Health, server.healthMethods, []),
    streams: server.streams,
    json,
    bodies,
    trustedProxies,
    maxBytes,
    maxStreamMessageBytes,
    shutdownSignal: shutdown.signal,
    statusOf: failureStatus,
    reportError,
  });
  const introspection = { method: services[0].method.adminVerifyApiKey, methods, admit, bodies, maxBytes, trustedProxies, reportError };
  const watchLane = createServerStreamLane([server.watches], { json, statusOf: failureStatus, reportError });
  const listener = createListener({
    handler: createDispatcher({
      rpc: rpc.handler,
      isRpc: rpc.isRpc,
      health: server.healthHttp,
      rooms: new Map([[introspectionPath, createIntrospection(introspection)]]),
      transcoder: createTranscoder({ methods, admit, json, bodies, rest: successes, trustedProxies, maxBytes, reportError }),
      cors: createCors(config.corsOrigins),
    }),
    streamHandler: (...stream) => rpc.streamHandler(...stream) || watchLane(...stream),
    limits,
    connections,
    tls: config.tls === null ? undefined : { cert: readFileSync(config.tls.certFile), key: readFileSync(config.tls.keyFile) },
    onError: reportError,
  });

  if (metrics !== null) watch(metrics, { trust, shared, usage, tokens, tokenKeys, refusals, bodies, log, connections });

  const flushUsage = createUsageFlush({ usage, log });
  const flush = () => Promise.all([flushUsage(), refusals.flush()]);
  closing.defer(async () => void (await flush()));
  every(flushIntervalMs, flush, closing);
  await trust.tick();
  await directory.refresh();
  every(trustTickMs, () => Promise.all([trust.tick(), directory.catchUp()]), closing);
  closing.defer(() => server.health.stop());
  closing.defer(() => listener.drain(config.drainTimeoutMs));
  closing.defer(() => shutdown.abort());
  closing.defer(() => server.health.drain());

  return {
    async listen() {
      await server.health.check();
      server.health.start();
      const metricsUrl = config.metrics === null ? undefined : await metricsServer?.listen(config.metrics);
      const bound = await listener.listen(config.host, config.port);
      return { url: `${config.tls === null ? "http" : "https"}://${authorityOf(bound)}`, metricsUrl };
    },
    replaceCallers(settings) {
      callers = callersOf(settings, keysOf, clock);
    },
    close: () => closeAll(closing),
  };
}

function every(intervalMs: number, work: () => Promise<unknown>, closing: AsyncDisposableStack): void {
  const timer = setInterval(() => void work(), intervalMs);
  closing.defer(() => clearInterval(timer));
}
