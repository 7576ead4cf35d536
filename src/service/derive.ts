import type { RecordReader } from "../cache/record-reader.ts";
import type { Address } from "../core/address.ts";
import type { Origin } from "../core/audit.ts";
import { fits, type PresentedCredential, type Refused } from "../core/credential.ts";
import type { JsonObject, KeyRecord } from "../core/key.ts";
import { canonicalJson, checkObject } from "../core/metadata.ts";
import { type CredentialReaders, isRefused, mayBeGuess, readCredential, refusalWithoutRecord } from "../core/read-credential.ts";
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
import type { GuessGuard } from "./guess-guard.ts";
import type { Verified } from "./judge.ts";
import type { Limits } from "./limits.ts";

export interface DeriveRequest {
  /** Of an API key, or of a derived token to narrow further. */
  readonly credential: string;
  readonly algorithm: "jwt" | "macaroon";
  /** Null: an hour, or what is left of the credential's life where that is less. */
  readonly ttlMs: number | null;
  /** Empty: all that the credential has. */
  readonly scopes: readonly string[];
  readonly customClaims: JsonObject;
  /** Null: unknown. */
  readonly endUserAddress: () => Address | null;
  readonly guard: GuessGuard;
  /** Units of the key's rate limit. */
  readonly cost: number;
}

export interface Derivation {
  /** Null: the key's rate limit refused. */
  readonly derived: Derived | null;
  /** The credential, with what is left of its key's limit. */
  readonly settled: Verified;
}

export interface Derived {
  readonly token: string;
  /** What the token says. */
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
}

/** What a token is derived from: the key, or the token as the key it stands for. */
interface Parent {
  readonly record: KeyRecord;
  readonly token: ReadToken | null;
  readonly kind: PresentedCredential["type"];
}

const defaultTtlMs = 3_600_000;

/**
 * Derives a token, which may do no more than what it is derived from, and no longer. The key at the root of it must be active at this moment,
 * straight from the store, and pays the cost from its rate limit, as in a verification. Rejects with KEY_NOT_FOUND for a credential that is
 * nobody's, KEY_NOT_ACTIVE, PERMISSION_DENIED for scopes or claims that the credential does not give, and INVALID_REQUEST; these cost nothing.
 */
export async function deriveToken(options: DeriveOptions, tenant: string, origin: Origin, request: DeriveRequest): Promise<Derivation> {
  const { tokens, store, clock, randomBytes, settle } = options;
  const parent = await parentOf(options, tenant, request);
  // As the root may have been made by a process whose clock is ahead: a token is not older than its root.
  const nowMs = Math.max(clock(), parent.record.createTimeMs);
  const issueTimeMs = inSeconds(Math.floor, nowMs);
  const facts: TokenFacts = {
    tokenId: createUlid(nowMs, randomBytes),
    chain: chainOf(parent),
    issuer: tokens.issuer,
    tenant,
    rootKeyId: parent.record.keyId,
    rootFirstRevision: parent.record.kind === "imported" ? parent.record.firstRevision : null,
    actorId: parent.record.actorId,
    scopes: scopesOf(parent, request.scopes),
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
  // A token that nobody can hold yet needs no transaction, but must not get out before it is in the trail.
  await store.audit.append(tenant, [auditEvent(options, origin, [facts.rootKeyId])]);
  return { derived, settled };
}

/** What a verification of the parent would have answered, before the rate limit. */
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
  const root = await freshRecord(options, tenant, presented);
  if (root === null) throw refuse(refusalWithoutRecord(presented));
  const token = "token" in presented ? presented.token : null;
  const circumstances = { nowMs: clock(), endUserAddress, requiredScopes: [], clockSkewMs, audience: null };
  const verdict = token === null ? decide(root, circumstances) : decideToken(token, root, circumstances);
  if (!verdict.isValid) throw refusal(verdict.code);
  return { record: verdict.record, token, kind: presented.type };
}

async function freshRecord({ reader }: DeriveOptions, tenant: string, presented: PresentedCredential): Promise<KeyRecord | null> {
  for (const keyId of presented.keyIds) {
    const { record } = await reader.read(tenant, keyId, "no-store");
    if (record !== null && fits(presented, record)) return record;
  }
  return null;
}

function refusal(code: RefusalCode): Failure {
  switch (code) {
    case "expired":
    case "revoked":
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

function scopesOf({ record }: Parent, wanted: readonly string[]): readonly string[] {
  const missing = wanted.findIndex((scope) => !record.scopes.includes(scope));
  if (missing !== -1) throw new Failure("PERMISSION_DENIED", { message: `scopes[${missing}]: the credential does not have this scope` });
  return wanted.length === 0 ? record.scopes : wanted;
}

/** Those of the parent stay. One more gives nothing away; another value might. */
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

/** In whole seconds from the time of issue: a requested life is rounded up, the credential's own end down. */
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
