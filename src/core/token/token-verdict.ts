import { issuedKeyIdLength } from "../credential-shape.ts";
import type { KeyRecord } from "../key.ts";
import { inAnyRange } from "../range-list.ts";
import { type Circumstances, decide, type Verdict } from "../verdict.ts";
import { msPerSecond, type ReadToken } from "./facts.ts";

/**
 * Reports whether the record is that of the root key of the token. An imported key that was deleted and imported again has its old id and
 * another first revision. If the store has forgotten the old key by then, the first revision may be the same, but the key is newer than the
 * token.
 */
export function isRootOf(token: ReadToken, record: KeyRecord): boolean {
  const { rootKeyId, rootFirstRevision } = token.facts;
  const isSameLife = rootFirstRevision === null || rootFirstRevision === record.firstRevision;
  return record.keyId === rootKeyId && isSameLife && isIssuedAfter(token, record.createTimeMs);
}

/** Tokens state whole seconds, rounded down. */
export function isIssuedAfter({ facts }: ReadToken, timeMs: number): boolean {
  return facts.issueTimeMs + msPerSecond > timeMs;
}

/**
 * The token as the record of a key. It has the scopes that the issuer, the holders and the root key at this moment all grant, and the
 * earliest expiry of them. It has no address ranges: the contract binds keys to addresses, not their tokens. In stateless mode there is no
 * root record, and the claims of the token decide.
 */
function tokenRecord({ facts, narrowing }: ReadToken, root: KeyRecord | null): KeyRecord {
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

/**
 * Judges a token at this moment, as `decide` judges a key. A token that is not valid yet is `expired` too: the contract has no other code
 * for it.
 */
export function decideToken(token: ReadToken, root: KeyRecord | null, circumstances: TokenCircumstances): Verdict {
  const verdict = decide(tokenRecord(token, root), circumstances);
  if (!verdict.isValid) return verdict;
  const { facts, narrowing } = token;
  const { record } = verdict;
  const { nowMs, clockSkewMs, audience } = circumstances;
  const beginsMs = Math.max(facts.issueTimeMs, facts.notBeforeMs) - clockSkewMs;
  if (nowMs < beginsMs || nowMs < (narrowing.notBeforeMs ?? 0)) return { isValid: false, code: "expired", record };
  if (!narrowing.clientCidrs.every((cidrs) => inAnyRange(circumstances.endUserAddress(), cidrs))) {
    return { isValid: false, code: "ip_not_allowed", record };
  }
  if (audience !== null && narrowing.audiences.some((other) => other !== audience))
    return { isValid: false, code: "wrong_audience", record: null };
  return verdict;
}

export interface TokenCircumstances extends Circumstances {
  /** How far the issuer's clock may be ahead of ours. Expiry has no such tolerance: a token must not outlive its key. */
  readonly clockSkewMs: number;
  /** The audience that the token is presented to. Null: any. */
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
    // Tokens are secret, because any holder can use one.
    visibility: "secret",
    metadata,
    rateLimitPolicy: null,
    createTimeMs: issueTimeMs,
    updateTimeMs: issueTimeMs,
    revocation: null,
    disabled: false,
    lineageId: rootKeyId,
    supersededBy: null,
    lastUsedTimeMs: null,
  };
}
