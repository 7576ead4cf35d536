import type { Caller } from "../../call/call.ts";
import { createBoundedMemory } from "../../core/bounded-memory.ts";
import { type ClaimRule, grantsOf } from "../../core/claim-rules.ts";
import type { JsonObject } from "../../core/key.ts";
import { defaultTenant } from "../../core/tenant.ts";
import { parseStrictObject } from "../../core/token/strict-json.ts";
import type { Clock } from "../../ports/clock.ts";
import type { IssuerKeySet, IssuerKeys } from "../../ports/issuer-keys.ts";
import { callerWith } from "./grants.ts";
import { clockSkewMs, signedClaims } from "./jwt-signature.ts";
import type { Refusal } from "./refusal.ts";

/** An issuer whose JWTs are accepted. */
export interface JwtIssuer {
  readonly name: string;
  readonly issuer: string;
  /** `aud` must contain one of these. */
  readonly audience: readonly string[];
  /** Only asymmetric ones. */
  readonly algorithms: readonly string[];
  readonly maxLifeMs: number;
  readonly rules: readonly ClaimRule[];
  readonly keys: IssuerKeys;
}

export interface JwtCallers {
  /** `digest` is the SHA-256 of the token. Returns at once for a JWT that was verified before. */
  callerOf(token: string, digest: string): Caller | Refusal | Promise<Caller | Refusal>;
}

const jwtShape = /^[\w-]{1,1024}\.[\w-]{1,15000}\.[\w-]{1,1024}$/;
/** Types of access tokens, of tokens without a specific type, and of SPIFFE (RFC 8725, section 3.11). */
const types: ReadonlySet<unknown> = new Set([undefined, "jwt", "jose", "at+jwt", "application/at+jwt"]);
const maxRemembered = 10_000;
const maxSubjectChars = 512;

interface Remembered {
  readonly outcome: Caller | Refusal;
  readonly expireTimeMs: number;
  readonly issuer: JwtIssuer;
  /** If the issuer's keys change, the token is verified again. */
  readonly keySet: IssuerKeySet;
}

/** The parts of a JWT that are read before its signature is verified. */
interface Unverified {
  readonly issuer: JwtIssuer;
  readonly kid: unknown;
  readonly subject: string;
  readonly expireTimeMs: number;
}

/**
 * Finds callers by the JWTs of issuers. Everything that needs no key is checked first, so that a token that cannot be valid costs neither a
 * signature check nor a fetch. Verified tokens are remembered by their SHA-256 until they expire or the keys of the issuer change.
 */
export function createJwtCallers(issuers: readonly JwtIssuer[], clock: Clock): JwtCallers {
  const byIssuer = new Map(issuers.map((issuer) => [issuer.issuer, issuer]));
  const verified = createBoundedMemory<Remembered>(maxRemembered);

  return {
    callerOf(token, digest) {
      const known = verified.get(digest);
      if (known !== undefined && known.expireTimeMs > clock() && known.issuer.keys.current() === known.keySet) return known.outcome;
      const unverified = readUnverified(byIssuer, token, clock());
      if (unverified === null) return "invalid";
      return verify(unverified, token, clock, (outcome, keySet) => verified.set(digest, { outcome, ...unverified, keySet }));
    },
  };
}

function readUnverified(byIssuer: ReadonlyMap<string, JwtIssuer>, token: string, nowMs: number): Unverified | null {
  if (!jwtShape.test(token)) return null;
  const [headerText = "", payloadText = ""] = token.split(".");
  const header = parseStrictObject(Buffer.from(headerText, "base64url"));
  const claims = header === null ? null : parseStrictObject(Buffer.from(payloadText, "base64url"));
  if (header === null || claims === null) return null;
  const issuer = typeof claims.iss === "string" ? byIssuer.get(claims.iss) : undefined;
  if (issuer === undefined || !isHeaderOf(issuer, header)) return null;
  const { sub, exp, iat, nbf } = claims;
  if (typeof sub !== "string" || sub === "" || sub.length > maxSubjectChars || unreadable.test(sub)) return null;
  if (typeof exp !== "number" || !isTime(iat) || !isTime(nbf)) return null;
  const expireTimeMs = exp * 1000 + clockSkewMs;
  const latestStartMs = Math.max(...[iat, nbf].map((time) => (typeof time === "number" ? time * 1000 : 0)));
  const lifeMs = exp * 1000 - (typeof iat === "number" ? iat * 1000 : nowMs);
  if (expireTimeMs <= nowMs || latestStartMs > nowMs + clockSkewMs || lifeMs > issuer.maxLifeMs) return null;
  return { issuer, kid: header.kid, subject: sub, expireTimeMs };
}

/** Characters that make a name in the log or the audit trail look like another one. */
const unreadable = /[\p{Cc}\p{Cf}\p{Cs}]/u;

function isHeaderOf({ algorithms }: JwtIssuer, { alg, typ, crit, kid }: JsonObject): boolean {
  const type = typeof typ === "string" ? typ.toLowerCase() : typ;
  const isKid = kid === undefined || typeof kid === "string";
  return typeof alg === "string" && algorithms.includes(alg) && types.has(type) && crit === undefined && isKid;
}

function isTime(value: unknown): boolean {
  return value === undefined || typeof value === "number";
}

type Remember = (outcome: Caller | Refusal, keySet: IssuerKeySet) => void;

async function verify({ issuer, kid, subject }: Unverified, token: string, clock: Clock, remember: Remember): Promise<Caller | Refusal> {
  let keySet = await keysWith(issuer.keys, kid);
  if (keySet === null) return "unavailable";
  let claims = await signedClaims(issuer, keySet, token, clock);
  if (claims === "unsigned" && typeof kid === "string") issuer.keys.refresh();
  if (claims === "unsigned" && typeof kid !== "string") {
    // Only a token with a key id shows that its key is newer than the known ones.
    const tried = keySet;
    keySet = await issuer.keys.fetchUnlessRecent().catch(() => null);
    if (keySet === null) return "unavailable";
    if (keySet === tried) return "invalid";
    claims = await signedClaims(issuer, keySet, token, clock);
  }
  if (typeof claims === "string") return "invalid";
  const name = `${issuer.name}:${subject}`;
  const grants = grantsOf(issuer.rules, claims, defaultTenant);
  const outcome = grants.length === 0 ? { unmatched: name } : callerWith(name, grants);
  remember(outcome, keySet);
  return outcome;
}

/** Returns the issuer's keys, fetched again if the key that the token names is not among them. Null if they cannot be fetched. */
async function keysWith(keys: IssuerKeys, kid: unknown): Promise<IssuerKeySet | null> {
  const known = keys.current();
  return known !== null && (typeof kid !== "string" || known.kids.has(kid)) ? known : keys.fetchNewer().catch(() => null);
}
