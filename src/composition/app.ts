import { file_google_rpc_error_details } from "../../gen/google/rpc/error_details_pb.ts";
import { openConfiguredTokenKeys } from "../adapters/open.ts";
import type { Config, MetricsConfig, Secrets } from "../config/config.ts";
import { createBodyBudget } from "../http/body-budget.ts";
import type { Log } from "../ports/log.ts";
import { services } from "../rpc/methods.ts";
import { bind } from "../server/bind.ts";
import { closeAll } from "../server/closing.ts";
import { authorityOf, createListener } from "../server/listener.ts";
import { createServerServices } from "../server/services.ts";
import type { Registry } from "../telemetry/metrics/registry.ts";
import { watch } from "../telemetry/metrics/watch.ts";
import { createAdmission, openCallers } from "./admission.ts";
import type { CallersConfig } from "./callers.ts";
import { openConnections } from "./connections.ts";
import { createOriginOf } from "./credential-origin.ts";
import { createAppGateways } from "./gateways.ts";
import { type Given, ownParts, type Parts } from "./given.ts";
import { createHealthLog } from "./health-log.ts";
import { createAppMethods } from "./methods.ts";
import { openObservation } from "./observation.ts";
import { createProtocols } from "./protocols.ts";
import { openStorage } from "./storage.ts";
import { openTls, watchTls } from "./tls.ts";
import { startUpkeep } from "./upkeep.ts";

/** Share of the memory for bodies that is available to callers without a valid token. */
const anonymousShare = 1 / 8;
/** Half of the threads that Node has for all such work. */
const maxInflations = 2;

export interface App {
  /** Starts to serve. Metrics are served at `metricsAddress`, or not if it is null. */
  listen(metricsAddress: MetricsConfig | null): Promise<{ url: string; metricsUrl: string | undefined }>;
  /** Null if metrics are off. */
  readonly metrics: Pick<Registry, "snapshot"> | null;
  /** Lets these callers call from now on. Throws ConfigError, and changes nothing, if the settings have a problem. */
  replaceCallers(settings: CallersConfig): void;
  /** Finishes calls in progress, writes buffered data, and closes everything, even if parts of it fail. Then rejects with those errors. */
  close(): Promise<void>;
}

/**
 * Rejects if the signing keys of the settings cannot be used. Call it before secrets are generated, so that a start that fails for these
 * keys leaves nothing behind.
 */
export async function checkSigningKeys(config: Config, given: Pick<Secrets, "signingKeys">, log: Log): Promise<void> {
  if (given.signingKeys.length > 0) (await openConfiguredTokenKeys(config, given, { log, ...ownParts })).close();
}

/** The composition root. If it fails, it closes what it opened. */
export async function createApp(config: Config, secrets: Secrets, log: Log, version: string, overrides: Partial<Parts> = {}): Promise<App> {
  const closing = new AsyncDisposableStack();
  try {
    return await compose({ config, secrets, log, version, closing, ...ownParts, ...overrides });
  } catch (error) {
    await closeAll(closing).catch((closeError: unknown) => log.error({ error: closeError }, "closing after a failed start failed"));
    throw error;
  }
}

/** Puts the parts together, from the store to the port. */
async function compose(given: Given): Promise<App> {
  const { config, secrets, log, version, clock, monotonicMs, closing } = given;
  const { bodyMemoryBytes } = config;
  const tls = openTls(config.tls, clock);
  const callers = openCallers(given, tls.certificates?.certificateOf);
  const tokenKeys = await openConfiguredTokenKeys(config, secrets, given);
  closing.defer(() => tokenKeys.close());
  const { metrics, telemetry, reportError, listen: listenForMetrics } = await openObservation(given);
  const storage = await openStorage(given, telemetry);
  const {
    cache: { trust },
    store: { audit },
    tenants: { directory },
  } = storage;
  const methods = createAppMethods(given, storage, tokenKeys, telemetry);
  const { tokens, usage, warmUp } = methods;

  const { connections, limits } = openConnections(given);
  const admission = createAdmission(given, { callers, directory, audit, connections, telemetry });
  const { admit, audited, refusals } = admission;
  const gateways = createAppGateways(given, { methods, admission, tokenKeys, telemetry, reportError });
  const bodies = createBodyBudget({ maxBytes: bodyMemoryBytes, maxAnonymousBytes: bodyMemoryBytes * anonymousShare, maxInflations });
  const healthLog = createHealthLog(() => storage.store.ping(), log);
  const server = createServerServices({
    ping: healthLog.ping,
    services,
    otherFiles: [file_google_rpc_error_details],
    reflection: config.reflection,
    isAdmin: callers.isAdmin,
    monotonicMs,
  });
  const shutdown = new AbortController();
  const served = { methods: methods.methods, admit, audited, bodies, server, gateways, originOf: createOriginOf(tokens, clock) };
  const protocols = createProtocols({ config, version, ...served, shutdownSignal: shutdown.signal, reportError });
  const listener = createListener({
    ...protocols,
    limits,
    connections,
    tls: tls.material,
    certificates: tls.certificates,
    onError: reportError,
  });

  const shared = storage.shared?.cache ?? null;
  if (metrics !== null) watch(metrics, { trust, shared, usage, tokens, tokenKeys, refusals, bodies, log, connections, tls });

  await startUpkeep({ log, monotonicMs, closing, usage, refusals, trust, directory, warmUp });
  closing.defer(watchTls(tls, listener.replaceTls, log));
  closing.defer(() => server.health.stop());
  closing.defer(() => listener.drain(config.drainTimeoutMs));
  closing.defer(() => shutdown.abort());
  closing.defer(() => server.health.drain());

  return {
    async listen(metricsAddress) {
      await server.health.check();
      server.health.start();
      closing.defer(healthLog.follow(server.health));
      const metricsUrl = await listenForMetrics(metricsAddress);
      const bound = await bind(listener, config, { host: "KEYWRIGHT_HOST", port: "KEYWRIGHT_PORT" });
      return { url: `${config.tls === null ? "http" : "https"}://${authorityOf(bound)}`, metricsUrl };
    },
    metrics: metrics?.registry ?? null,
    replaceCallers: callers.replace,
    close: () => closeAll(closing),
  };
}
