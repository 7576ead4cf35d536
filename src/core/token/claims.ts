import type { JsonObject, JsonValue } from "../key.ts";
import { isTime } from "../rfc3339.ts";
import { msPerSecond, reservedClaims, type TokenFacts } from "./facts.ts";

/** The payload of a JWT (RFC 7519; `scope` as in RFC 8693). Empty values are left out. */
export function claimsOf(facts: TokenFacts): JsonObject {
  const { customClaims, scopes, actorId, metadata, chain } = facts;
  return {
    ...customClaims,
    iss: facts.issuer,
    sub: subjectOf(facts),
    jti: facts.tokenId,
    iat: facts.issueTimeMs / msPerSecond,
    nbf: facts.notBeforeMs / msPerSecond,
    exp: facts.expireTimeMs / msPerSecond,
    key_id: facts.rootKeyId,
    ...(facts.rootFirstRevision === null ? {} : { key_first_revision: facts.rootFirstRevision }),
    tenant: facts.tenant,
    ...(scopes.length === 0 ? {} : { scope: scopes.join(" ") }),
    ...(actorId === "" ? {} : { actor_id: actorId }),
    ...(metadata === null ? {} : { metadata }),
    ...(chain.length === 0 ? {} : { chain: [...chain] }),
  };
}

/** Reads a payload. Returns null if this service would not write such a payload. */
export function factsOf(claims: JsonObject): TokenFacts | null {
  const {
    iss,
    sub,
    aud,
    jti,
    iat,
    nbf,
    exp,
    key_id,
    key_first_revision = null,
    tenant,
    scope = "",
    actor_id = "",
    metadata = null,
    chain = [],
  } = claims;
  if (!isText(iss) || !isText(jti) || !isText(key_id) || !isText(tenant) || aud !== undefined) return null;
  if (!isNumericDate(iat) || !isNumericDate(nbf) || !isNumericDate(exp)) return null;
  if (key_first_revision !== null && !isRevision(key_first_revision)) return null;
  if (typeof scope !== "string" || typeof actor_id !== "string") return null;
  if (typeof metadata !== "object" || Array.isArray(metadata)) return null;
  if (!Array.isArray(chain) || !chain.every(isText)) return null;
  const facts = {
    tokenId: jti,
    chain,
    issuer: iss,
    tenant,
    rootKeyId: key_id,
    rootFirstRevision: key_first_revision,
    actorId: actor_id,
    scopes: scope === "" ? [] : scope.split(" "),
    metadata,
    customClaims: Object.fromEntries(Object.entries(claims).filter(([name]) => !reservedClaims.has(name))),
    issueTimeMs: iat * msPerSecond,
    notBeforeMs: nbf * msPerSecond,
    expireTimeMs: exp * msPerSecond,
  };
  return sub === subjectOf(facts) ? facts : null;
}

/** `sub`: the actor of the key, or the key id if it has none. */
function subjectOf({ actorId, rootKeyId }: Pick<TokenFacts, "actorId" | "rootKeyId">): string {
  return actorId === "" ? rootKeyId : actorId;
}

function isText(value: JsonValue | undefined): value is string {
  return typeof value === "string" && value !== "";
}

function isRevision(value: JsonValue): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Reports whether the value is whole seconds from the epoch to the end of the year 9999. */
function isNumericDate(value: JsonValue | undefined): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && isTime((value as number) * msPerSecond);
}
