import { randomBytes } from "node:crypto";
import { ApiKeysService } from "../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import { createMethodTable, type MethodTable } from "../call/methods.ts";
import { createCredentials } from "../core/credential.ts";
import { createPageTokens } from "../core/page-token.ts";
import { deriveSubkeys } from "../core/subkeys.ts";
import { createTokens, type Tokens } from "../core/token/tokens.ts";
import type { TokenKeySource } from "../ports/token-keys.ts";
import { noStore } from "../rpc/interceptors/no-store.ts";
import { validate } from "../rpc/interceptors/validate.ts";
import { hasSecret } from "../rpc/method-table.ts";
import { implementationsOf, type MethodParts } from "../rpc/routes.ts";
import type { KeyService } from "../service/key-service.ts";
import { createUsageRecorder, type UsageRecorder } from "../service/usage-recorder.ts";
import { createVerify } from "../service/verify.ts";
import { createVerifyMany } from "../service/verify-many.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { createViolationsOf } from "../validation/violations.ts";
import type { Given } from "./given.ts";
import { createAppLimits } from "./limits.ts";
import type { Storage } from "./storage.ts";

export interface Methods {
  readonly methods: MethodTable;
  readonly tokens: Tokens;
  readonly usage: UsageRecorder;
}

const maxBufferedUses = 100_000;

/** The methods of the API, over the store. */
export function createMethods(given: Given, storage: Storage, tokenKeys: TokenKeySource, telemetry: Telemetry): Methods {
  const service = createKeyService(given, storage, tokenKeys);
  const usage = createUsageRecorder({ store: storage.store, maxKeys: maxBufferedUses });
  const violationsOf = createViolationsOf(ApiKeysService.methods.map(({ input }) => input));
  const implementations = implementationsOf({
    service,
    ...verificationParts({ given, storage, service, usage, telemetry }),
    violationsOf,
    tokenKeys,
  });
  const interceptors = [...telemetry.interceptors, noStore(hasSecret), validate(violationsOf)];
  return { methods: createMethodTable(ApiKeysService, implementations, interceptors), tokens: service.tokens, usage };
}

/** The dependencies of operations on keys. */
function createKeyService({ config, secrets, clock }: Given, { store, cache }: Storage, tokenKeys: TokenKeySource) {
  return {
    store,
    announcer: cache.announcer,
    credentials: createCredentials(secrets.serverSecrets, config.keyPrefixes, randomBytes),
    tokens: createTokens({
      issuer: config.issuer,
      keys: tokenKeys.current,
      macaroonKeys: deriveSubkeys(secrets.serverSecrets, "macaroon-root", store.tokenSalt),
    }),
    pageTokens: createPageTokens(secrets.serverSecrets, randomBytes),
    clock,
    randomBytes,
    defaultKeyTtlMs: config.defaultKeyTtlMs,
  } satisfies KeyService;
}

interface VerificationParts {
  readonly given: Given;
  readonly storage: Storage;
  readonly service: ReturnType<typeof createKeyService>;
  readonly usage: UsageRecorder;
  readonly telemetry: Telemetry;
}

/** What verifies, derives from what was verified, and revokes what its holder presents: all under the same limits. */
function verificationParts(parts: VerificationParts): Pick<MethodParts, "verification" | "derivation" | "selfRevokeLimits"> {
  const { given, storage, service, usage, telemetry } = parts;
  const { config, log, clock } = given;
  const { credentials, tokens } = service;
  const { rateLimiter, guesses, selfRevokes } = createAppLimits(given, storage);
  const reportUnanswered = (error: unknown) => log.error({ error }, "credentials of a batch could not be verified");
  const { derivedTokens, clockSkewMs } = config;
  const { reader, store } = storage;
  const options = { credentials, tokens, derivedTokens, clockSkewMs, reader, usage, rateLimiter, guesses, clock, reportUnanswered };
  return {
    verification: {
      verify: telemetry.verify(createVerify(options)),
      verifyMany: telemetry.verifyMany(createVerifyMany(options)),
      issuer: config.issuer,
      reportUnanswered,
    },
    derivation: { ...options, store, randomBytes },
    selfRevokeLimits: selfRevokes,
  };
}
