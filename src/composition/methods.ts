import { randomBytes } from "node:crypto";
import type { DescMessage } from "@bufbuild/protobuf";
import type { MethodTable } from "../call/methods.ts";
import { createCredentials } from "../core/credential.ts";
import { createPageTokens } from "../core/page-token.ts";
import { deriveSubkeys } from "../core/subkeys.ts";
import { createTokens, type Tokens } from "../core/token/tokens.ts";
import type { TokenKeySource } from "../ports/token-keys.ts";
import { createLineLimit } from "../rpc/line-limit.ts";
import { services } from "../rpc/methods.ts";
import { createMethods, type TableOptions } from "../rpc/tables.ts";
import { systemTimer } from "../server/health/health-state.ts";
import { createActorLimits } from "../service/actor-limits.ts";
import type { KeyService } from "../service/key-service.ts";
import { createUsageRecorder, type UsageRecorder } from "../service/usage-recorder.ts";
import { createVerify } from "../service/verify.ts";
import { createVerifyMany } from "../service/verify-many.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { createValidation } from "../validation/violations.ts";
import type { Given } from "./given.ts";
import { createAppLimits } from "./limits.ts";
import type { Storage } from "./storage.ts";

export interface AppMethods {
  readonly methods: MethodTable;
  readonly tokens: Tokens;
  readonly usage: UsageRecorder;
  /** Loads and compiles what the first calls of some methods would otherwise wait for. */
  warmUp(): Promise<void>;
}

const maxBufferedUses = 100_000;

/** The methods of the API, over the store. */
export function createAppMethods(given: Given, storage: Storage, tokenKeys: TokenKeySource, telemetry: Telemetry): AppMethods {
  const service = createKeyService(given, storage, tokenKeys);
  const usage = createUsageRecorder({ store: storage.store, maxKeys: maxBufferedUses });
  const validation = createValidation();
  const methods = createMethods({
    service,
    validation,
    ...verificationParts({ given, storage, service, usage, telemetry }),
    tokenKeys,
    directory: storage.tenants.directory,
    keyPrefixes: given.config.keyPrefixes,
    outer: telemetry.interceptors,
    startTimer: systemTimer,
  });
  const requests = services.flatMap((each) => each.methods.map(({ input }) => input as DescMessage));
  return { methods, tokens: service.tokens, usage, warmUp: () => validation.warmUp(requests) };
}

/** The dependencies of operations on keys. */
function createKeyService({ config, secrets, clock }: Given, { store, cache, tenants: { settings } }: Storage, tokenKeys: TokenKeySource) {
  return {
    store,
    announcer: cache.announcer,
    credentials: createCredentials(secrets.serverSecrets, config.keyPrefixes, randomBytes, settings.of),
    tokens: createTokens({
      issuer: config.issuer,
      tenantIssuer: (tenant) => settings.of(tenant).issuer,
      keys: tokenKeys.current,
      macaroonKeys: deriveSubkeys(secrets.serverSecrets, "macaroon-root", store.tokenSalt),
    }),
    pageTokens: createPageTokens(secrets.serverSecrets, randomBytes),
    clock,
    randomBytes,
    defaultKeyTtlMs: config.defaultKeyTtlMs,
    tenantSettings: settings,
  } satisfies KeyService;
}

interface VerificationParts {
  readonly given: Given;
  readonly storage: Storage;
  readonly service: ReturnType<typeof createKeyService>;
  readonly usage: UsageRecorder;
  readonly telemetry: Telemetry;
}

/** Verifies, derives tokens from verified credentials, and lets holders revoke their credentials, all under the same limits. */
function verificationParts(parts: VerificationParts): Pick<TableOptions, "verification" | "verifyOptions" | "selfRevokeLimits"> {
  const { given, storage, service, usage, telemetry } = parts;
  const { config, log, clock, monotonicMs, closing } = given;
  const { credentials, tokens } = service;
  const { rateLimiter, guesses, selfRevokes } = createAppLimits(given, storage);
  // Calls have a limit of their own (log-calls.ts), so that batches do not use up theirs.
  const atEnd = (work: () => void) => closing.defer(work);
  const omittedBefore = createLineLimit(monotonicMs, atEnd, (omitted) =>
    log.error({ omitted }, "credentials of a batch could not be verified; further lines were omitted"),
  );
  const reportUnanswered = (error: unknown) => {
    const omitted = omittedBefore();
    if (omitted !== null) log.error({ error, ...(omitted > 0 && { omitted }) }, "credentials of a batch could not be verified");
  };
  const { derivedTokens, clockSkewMs } = config;
  const { reader, cache, tenants } = storage;
  const actorLimits = createActorLimits({ cache, settings: tenants.settings });
  const options = {
    credentials,
    tokens,
    derivedTokens,
    tenantSettings: tenants.settings,
    clockSkewMs,
    reader,
    usage,
    rateLimiter,
    actorLimits,
    guesses,
    clock,
    reportUnanswered,
  };
  return {
    verification: {
      verify: telemetry.verify(createVerify(options)),
      verifyMany: telemetry.verifyMany(createVerifyMany(options)),
      issuerOf: tokens.issuerOf,
      reportUnanswered,
    },
    verifyOptions: options,
    selfRevokeLimits: selfRevokes,
  };
}
