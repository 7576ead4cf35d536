import type { RecordReader } from "../cache/record-reader.ts";
import type { Address } from "../core/address.ts";
import type { Origin } from "../core/audit.ts";
import type { PresentedCredential, Refused } from "../core/credential.ts";
import type { JsonObject, KeyRecord } from "../core/key.ts";
import { canonicalJson, checkObject } from "../core/metadata.ts";
import { type CredentialReaders, isRefused, mayBeGuess, readCredential, refusalWithoutRecord } from "../core/read-credential.ts";
import { checkScopes, type ScopeCeiling } from "../core/scope-ceiling.ts";
import { tenantStartMs } from "../core/tenant.ts";
import { bindingCaveats } from "../core/token/caveat.ts";
import { claimsOf } from "../core/token/claims.ts";
import {
  isReservedClaim,
  maxChainLength,
  msPerSecond,
  type ReadToken,
  type TokenFacts,
  type TokenNarrowing,
  unnarrowed,
} from "../core/token/facts.ts";
import { decideToken } from "../core/token/token-verdict.ts";
import type { Tokens } from "../core/token/tokens.ts";
import { createUlid } from "../core/ulid.ts";
import { decide, type RefusalCode } from "../core/verdict.ts";
import { Failure, invalidField } from "../error/failure.ts";
import type { AuditTrail } from "../ports/audit-trail.ts";
import type { Clock, RandomBytes } from "../ports/clock.ts";
import { auditEvent } from "./audit.ts";
import { findRecord } from "./find-record.ts";
import type { GuessGuard } from "./guess-guard.ts";
import type { Verified } from "./judge.ts";
import type { Limits } from "./limits.ts";
import type { TenantSettings } from "./tenants/tenant-settings.ts";

export interface DeriveRequest {
  /** An API key, or a derived token to narrow further. */
  readonly credential: string;
  readonly algorithm: "jwt" | "macaroon";
  /** Null: one hour, or the remaining life of the credential if that is shorter. */
  readonly ttlMs: number | null;
  /** Empty: all scopes of the credential. */
  readonly scopes: readonly string[];
  readonly customClaims: JsonObject;
  readonly ceiling: ScopeCeiling;
  /** The end user's address. Null: unknown. */
  readonly endUserAddress: () => Address | null;
  readonly guard: GuessGuard;
  /** The cost in units of the key's rate limit. */
  readonly cost: number;
}

export interface Derivation {
  /** Null if the key's rate limit refused it. */
  readonly derived: Derived | null;
  /** The verified credential, with what is left of its key's rate limit. */
  readonly settled: Verified;
}

export interface Derived {
  readonly token: string;
  /** The content of the token. */
  readonly claims: JsonObject;
  readonly facts: TokenFacts;
}

export interface DeriveOptions extends CredentialReaders {
  readonly store: { readonly audit: Pick<AuditTrail, "append"> };
  readonly tokens: Tokens;
  readonly settle: Limits["settle"];
  readonly reader: Pick<RecordReader, "read">;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly clockSkewMs: number;
  readonly tenantSettings: Pick<TenantSettings, "of">;
}

/** The parent of a token: a key, or another token and the record that it stands for. */
interface Parent {
  readonly record: KeyRecord;
  readonly token: ReadToken | null;
  readonly kind: PresentedCredential["type"];
}

const defaultTtlMs = 3_600_000;

/**
 * Derives a token. It has at most the permissions and the life of its parent credential. The root key must be active at this moment: it is
 * read from the store, not from a cache. The cost is taken from the rate limit of the key, as in a verification. Rejects with KEY_NOT_FOUND
 * if no key is found for the credential, with KEY_NOT_ACTIVE, with PERMISSION_DENIED for scopes or claims that the credential does not
 * have, and with INVALID_REQUEST. A rejected call costs nothing.
 */
export async function deriveToken(options: DeriveOptions, tenant: string, origin: Origin, request: DeriveRequest): Promise<Derivation> {
  const { tokens, store, clock, randomBytes, settle, tenantSettings } = options;
  const parent = await parentOf(options, tenant, request);
  // A process whose clock is ahead may have made the root key or the tenant. A token must not be older than these.
  const nowMs = Math.max(clock(), parent.record.createTimeMs, tenantStartMs(tenantSettings.of(tenant)));
  const issueTimeMs = inSeconds(Math.floor, nowMs);
  const facts: TokenFacts = {
    tokenId: createUlid(nowMs, randomBytes),
    chain: chainOf(parent),
    issuer: tokens.issuerOf(tenant),
    tenant,
    rootKeyId: parent.record.keyId,
    rootFirstRevision: parent.record.kind === "imported" ? parent.record.firstRevision : null,
    actorId: parent.record.actorId,
    scopes: scopesOf(parent, request),
    metadata: parent.record.metadata,
    customClaims: customClaimsOf(parent, request.customClaims),
    issueTimeMs,
    notBeforeMs: issueTimeMs,
    expireTimeMs: expireTimeOf(parent, request.ttlMs, issueTimeMs, nowMs),
  };
  const { narrowing } = parent.token ?? { narrowing: unnarrowed };
  if (request.algorithm === "jwt") refuseBound(narrowing);
  const settled = await settle(tenant, verifiedOf(parent, nowMs), { statedAddress: null, cost: request.cost });
  if (!settled.verdict.isValid) return { derived: null, settled };
  const derived = request.algorithm === "jwt" ? await jwtOf(tokens, facts) : macaroonOf(tokens, facts, narrowing);
  // The event must be in the audit trail before anybody gets the token. No transaction is needed, since nobody has the token yet.
  await store.audit.append(tenant, [auditEvent(options, origin, [facts.rootKeyId])]);
  return { derived, settled };
}

/** Verification result of the parent, before the rate limit. */
function verifiedOf({ record, kind }: Parent, nowMs: number): Verified {
  return { verdict: { isValid: true, record }, kind, isGuess: false, nowMs, cacheOutcome: null, customClaims: null };
}

function refuseBound(narrowing: TokenNarrowing): void {
  if (bindingCaveats(narrowing).length === 0) return;
  throw invalidField("algorithm", "must be macaroon: the credential is bound to clients or audiences, which a JWT cannot express");
}

async function jwtOf(tokens: Tokens, facts: TokenFacts): Promise<Derived> {
  return { token: await tokens.mintJwt(facts), claims: claimsOf(facts), facts };
}

function macaroonOf(tokens: Tokens, facts: TokenFacts, narrowing: TokenNarrowing): Derived {
  const token = tokens.mintMacaroon(facts, narrowing);
  if (token === null) throw invalidField("algorithm", "must be JWT: the macaroon would be too long with these scopes, claims and caveats");
  return { token, claims: { ...claimsOf(facts), caveats: bindingCaveats(narrowing) }, facts };
}

async function parentOf(options: DeriveOptions, tenant: string, { credential, endUserAddress, guard }: DeriveRequest): Promise<Parent> {
  const { clock, clockSkewMs } = options;
  const presented = readCredential(options, tenant, credential, clock());
  if (mayBeGuess(presented)) guard.admit();
  const refuse = ({ code }: Refused): Failure => {
    if (mayBeGuess(presented)) guard.count();
    return refusal(code);
  };
  if (isRefused(presented)) throw refuse(presented);
  const root = await findRecord(presented, async (keyId) => (await options.reader.read(tenant, keyId, "no-store")).record);
  // Again: others of the client's guesses may have been counted meanwhile.
  if (mayBeGuess(presented)) guard.admit();
  if (root === null) throw refuse(refusalWithoutRecord(presented));
  const token = "token" in presented ? presented.token : null;
  const circumstances = { nowMs: clock(), endUserAddress, requiredScopes: [], clockSkewMs, audience: null };
  const verdict = token === null ? decide(root, circumstances) : decideToken(token, root, circumstances);
  if (!verdict.isValid) throw refusal(verdict.code);
  return { record: verdict.record, token, kind: presented.type };
}

function refusal(code: RefusalCode): Failure {
  switch (code) {
    case "expired":
    case "revoked":
    case "disabled":
      return new Failure("KEY_NOT_ACTIVE", { message: `the credential is ${code}` });
    case "ip_not_allowed":
      return new Failure("PERMISSION_DENIED", { message: "the client's address is not allowed" });
    case "invalid_format":
      return invalidField("credential", "has an unrecognised format");
    case "not_found":
    case "signature_invalid":
    case "wrong_audience":
    case "insufficient_scope":
    case "internal":
    case "rate_limited":
    case "actor_rate_limited":
    case "guess_limited":
      return new Failure("KEY_NOT_FOUND");
  }
}

function chainOf({ token }: Parent): readonly string[] {
  if (token === null) return [];
  const chain = [...token.facts.chain, token.facts.tokenId];
  if (chain.length > maxChainLength) throw invalidField("credential", `must not be the last of a chain of ${chain.length} derived tokens`);
  return chain;
}

function scopesOf({ record }: Parent, { scopes: wanted, ceiling }: DeriveRequest): readonly string[] {
  const missing = wanted.findIndex((scope) => !record.scopes.includes(scope));
  if (missing !== -1) throw new Failure("PERMISSION_DENIED", { message: `scopes[${missing}]: the credential does not have this scope` });
  const scopes = wanted.length === 0 ? record.scopes : wanted;
  checkScopes(ceiling, scopes, "scopes");
  return scopes;
}

/**
 * Merges the parent's claims with the requested ones. A new claim grants nothing. A different value for a claim of the parent might, so it
 * is refused.
 */
function customClaimsOf({ token }: Parent, wanted: JsonObject): JsonObject {
  const reserved = Object.keys(wanted).find(isReservedClaim);
  if (reserved !== undefined) throw invalidField("custom_claims", `must not contain ${reserved.trim()}, which this service sets`);
  checkObject("custom_claims", wanted);
  const given = token?.facts.customClaims ?? {};
  for (const [name, value] of Object.entries(given)) {
    if (Object.hasOwn(wanted, name) && canonicalJson(wanted[name] as never) !== canonicalJson(value)) {
      throw new Failure("PERMISSION_DENIED", { message: "custom_claims: a claim of the credential cannot be changed" });
    }
  }
  return checkObject("custom_claims", { ...given, ...wanted });
}

/** Returns when the token expires. A requested life is rounded up to whole seconds; the end of the credential is rounded down. */
function expireTimeOf({ record }: Parent, ttlMs: number | null, issueTimeMs: number, nowMs: number): number {
  const wantedMs = issueTimeMs + (ttlMs ?? defaultTtlMs);
  const endMs = record.expireTimeMs ?? Number.POSITIVE_INFINITY;
  if (ttlMs !== null && wantedMs > endMs) throw invalidField("ttl", "must not exceed the remaining life of the credential");
  const expireTimeMs = Math.min(inSeconds(Math.ceil, wantedMs), inSeconds(Math.floor, endMs));
  if (expireTimeMs <= nowMs) throw new Failure("KEY_NOT_ACTIVE", { message: "the credential is about to expire" });
  return expireTimeMs;
}

function inSeconds(round: (value: number) => number, timeMs: number): number {
  return round(timeMs / msPerSecond) * msPerSecond;
}
