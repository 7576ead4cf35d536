import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { RateLimitPolicy as PolicyMessage } from "../../../gen/keywright/v2alpha1/key_policy_pb.ts";
import type { ActorLimit } from "../../core/actor-limit.ts";
import type { RateLimitPolicy } from "../../core/key.ts";
import { isEnforced } from "../../core/rate-limit.ts";
import { invalidField } from "../../error/failure.ts";
import { rateLimitPolicyFromMessage, rateLimitPolicyToMessage } from "../message.ts";

export function actorLimitToMessage({ actorId, policy, updateTimeMs }: ActorLimit) {
  return { actorId, rateLimitPolicy: rateLimitPolicyToMessage(policy), updateTime: timestampFromMs(updateTimeMs) };
}

/** Refuses a limit that would not be enforced, because nobody should rely on it. */
export function enforcedPolicy(message: PolicyMessage | undefined, field: string): RateLimitPolicy {
  const policy = rateLimitPolicyFromMessage(message);
  if (isEnforced(policy)) return policy;
  throw invalidField(policy === null ? field : `${field}.unit`, policy === null ? "must be present" : "must be requests");
}
