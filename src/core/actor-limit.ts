import { hash } from "node:crypto";
import type { KeyRecord, RateLimitPolicy } from "./key.ts";
import { newSettingRecord, settingRecordId } from "./setting-record.ts";

/** The rate limit that all keys of an actor share. */
export interface ActorLimit {
  readonly actorId: string;
  readonly policy: RateLimitPolicy;
  readonly updateTimeMs: number;
}

export function actorLimitRecordId(actorId: string): string {
  return settingRecordId("actor_limit", hash("sha256", actorId, "hex"));
}

export function newActorLimitRecord(actorId: string, policy: RateLimitPolicy, nowMs: number): KeyRecord {
  return { ...newSettingRecord("actor_limit", actorLimitRecordId(actorId), nowMs), actorId, rateLimitPolicy: policy };
}

export function actorLimitOfRecord({ actorId, rateLimitPolicy, updateTimeMs }: KeyRecord): ActorLimit {
  if (rateLimitPolicy === null) throw new Error("the record of an actor's limit has none");
  return { actorId, policy: rateLimitPolicy, updateTimeMs };
}
