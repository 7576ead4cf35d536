import { hash } from "node:crypto";
import { digestOf } from "../core/credential.ts";
import type { KeyAttributes, KeyRecord, Visibility } from "../core/key.ts";
import { canonicalJson } from "../core/metadata.ts";
import { createUlid } from "../core/ulid.ts";
import { Failure } from "../error/failure.ts";
import type { KeyService } from "./key-service.ts";

export interface IssueRequest {
  readonly attributes: KeyAttributes;
  readonly actorId: string;
  readonly visibility: Visibility;
  /** Null: the default of the installation. */
  readonly ttlMs: number | null;
  /** Null: the caller does not retry. */
  readonly requestId: string | null;
}

/** `secret` is null where the request id was replayed: the secret was shown once. */
export interface Issued {
  readonly record: KeyRecord;
  readonly secret: string | null;
}

/** Issues a key. Rejects with REQUEST_ID_REUSED where the request id was used with another payload. */
export async function issueKey(service: KeyService, tenant: string, request: IssueRequest): Promise<Issued> {
  const minted = mintKey(service, tenant, request);
  const mark = request.requestId === null ? null : { requestId: request.requestId, payloadDigest: payloadDigest(request) };
  const result = await service.store.insert(tenant, minted.record, mark);
  switch (result.outcome) {
    case "inserted":
      return { record: result.record, secret: minted.secret };
    case "request_id_used":
      if (result.payloadDigest !== mark?.payloadDigest || result.record === null) throw new Failure("REQUEST_ID_REUSED");
      return { record: result.record, secret: null };
    case "key_id_used":
      throw new Error("a new ULID was in use already");
  }
}

/** A new key as it is before anything is stored. */
export function mintKey(
  { credentials, clock, randomBytes, defaultKeyTtlMs }: KeyService,
  tenant: string,
  { attributes, actorId, visibility, ttlMs, expireTimeMs }: Omit<IssueRequest, "requestId"> & { readonly expireTimeMs?: number | null },
): { record: KeyRecord; secret: string } {
  const nowMs = clock();
  const keyId = createUlid(nowMs, randomBytes);
  const secret = credentials.mint(tenant, keyId, visibility);
  const lifeMs = ttlMs ?? defaultKeyTtlMs;
  const record: KeyRecord = {
    ...attributes,
    kind: "issued",
    keyId,
    revision: 1,
    digest: digestOf(secret),
    actorId,
    visibility,
    createTimeMs: nowMs,
    updateTimeMs: nowMs,
    expireTimeMs: expireTimeMs === undefined ? (lifeMs === null ? null : nowMs + lifeMs) : expireTimeMs,
    revocation: null,
    lastUsedTimeMs: null,
  };
  return { record, secret };
}

function payloadDigest({ attributes, actorId, visibility, ttlMs }: IssueRequest): string {
  const { name, scopes, metadata, rateLimitPolicy, allowedCidrs } = attributes;
  const policy = rateLimitPolicy === null ? null : [String(rateLimitPolicy.quota), rateLimitPolicy.windowMs, rateLimitPolicy.unit];
  return hash("sha256", canonicalJson([name, [...scopes], metadata, policy, [...allowedCidrs], actorId, visibility, ttlMs]), "base64url");
}
