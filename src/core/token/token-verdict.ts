import { issuedKeyIdLength } from "../credential-shape.ts";
import type { KeyRecord } from "../key.ts";
import { inAnyRange } from "../range-list.ts";
import { type Circumstances, decide, type Verdict } from "../verdict.ts";
import type { ReadToken } from "./facts.ts";

/**
 * Whether the record is that of the key a token goes back to. An imported key that was deleted and imported again has its old id, but another
 * first revision, unless so much time has passed that the store forgot the old one; then it was made after the token.
 */
export function isRootOf({ facts }: ReadToken, record: KeyRecord): boolean {
  const { rootKeyId, rootFirstRevision, issueTimeMs } = facts;
  const isSameLife = rootFirstRevision === null || rootFirstRevision === record.firstRevision;
  return record.keyId === rootKeyId && isSameLife && issueTimeMs + 1000 > record.createTimeMs;
}

/**
 * The token as if it were a key: its root's record, with the scopes that issuer, holders and, now, the root all grant, until whichever expiry
 * comes first, from every address (the contract binds keys to addresses, not their tokens). Where no root is asked, the issuer's word counts.
 */
export function tokenRecord({ facts, narrowing }: ReadToken, root: KeyRecord | null): KeyRecord {
  const granted = root === null ? facts.scopes : facts.scopes.filter((scope) => root.scopes.includes(scope));
  const { scopes: kept } = narrowing;
  const expireTimesMs = [facts.expireTimeMs, narrowing.expireTimeMs, root?.expireTimeMs].filter((timeMs) => typeof timeMs === "number");
  return {
    ...(root ?? rootless(facts)),
    scopes: kept === null ? granted : granted.filter((scope) => kept.includes(scope)),
    expireTimeMs: Math.min(...expireTimesMs),
    allowedCidrs: [],
  };
}

/** Judges a token at this moment, as `decide` judges a key. A token whose time has not begun is `expired`: out of its time. */
export function decideToken(token: ReadToken, root: KeyRecord | null, circumstances: TokenCircumstances): Verdict {
  const verdict = decide(tokenRecord(token, root), circumstances);
  if (!verdict.isValid) return verdict;
  const { facts, narrowing } = token;
  const { record } = verdict;
  const { nowMs, clockSkewMs, audience } = circumstances;
  const beginsMs = Math.max(facts.issueTimeMs, facts.notBeforeMs) - clockSkewMs;
  if (nowMs < beginsMs || nowMs < (narrowing.notBeforeMs ?? 0)) return { isValid: false, code: "expired", record };
  if (!narrowing.clientCidrs.every((cidrs) => inAnyRange(circumstances.clientAddress(), cidrs))) {
    return { isValid: false, code: "ip_not_allowed", record };
  }
  if (audience !== null && narrowing.audiences.some((other) => other !== audience))
    return { isValid: false, code: "wrong_audience", record: null };
  return verdict;
}

export interface TokenCircumstances extends Circumstances {
  /** How far the issuer's clock may be ahead of ours. Expiry knows no such grace: a token must not outlive its key. */
  readonly clockSkewMs: number;
  /** Whom the token is presented to; null: whoever it is for. */
  readonly audience: string | null;
}

function rootless({
  rootKeyId,
  rootFirstRevision,
  actorId,
  metadata,
  issueTimeMs,
}: ReadToken["facts"]): Omit<KeyRecord, "scopes" | "expireTimeMs" | "allowedCidrs"> {
  return {
    kind: rootKeyId.length === issuedKeyIdLength ? "issued" : "imported",
    keyId: rootKeyId,
    name: "",
    digest: "",
    revision: 0,
    firstRevision: rootFirstRevision ?? 0,
    actorId,
    // Of a token as such: whoever holds it can use it.
    visibility: "secret",
    metadata,
    rateLimitPolicy: null,
    createTimeMs: issueTimeMs,
    updateTimeMs: issueTimeMs,
    revocation: null,
    lastUsedTimeMs: null,
  };
}
