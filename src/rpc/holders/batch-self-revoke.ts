import type { MessageInitShape } from "@bufbuild/protobuf";
import type { SelfRevokeResultSchema } from "../../../gen/keywright/v2alpha1/holder_pb.ts";
import type { HoldersService } from "../../../gen/keywright/v2alpha1/holders_service_pb.ts";
import type { Call } from "../../call/call.ts";
import type { Implementation } from "../../call/methods.ts";
import { Failure } from "../../error/failure.ts";
import { isServerFault } from "../../error/table.ts";
import { collectAnnouncements } from "../../service/batch-announcements.ts";
import type { KeyService } from "../../service/key-service.ts";
import { selfRevokeKey } from "../../service/revoke.ts";
import { contextOf } from "../context.ts";
import { reasonFromMessage } from "../message.ts";
import { limitsOfCall, type SelfServiceOptions, tenantOfCredential } from "../self-service.ts";

export interface BatchSelfRevokeOptions extends SelfServiceOptions {
  readonly service: KeyService;
  /** Called once per batch with the reason why the store did not accept a revocation. */
  readonly reportUnanswered: (error: unknown) => void;
}

type Result = MessageInitShape<typeof SelfRevokeResultSchema>;

/** The tenant whose key was revoked, which is yet to be announced, or why none was. */
type Outcome = { readonly revokedOf: string } | { readonly error: unknown; readonly retryAfterSeconds?: number | undefined };

/** Maximum concurrent revocations: one call of an unknown caller must not occupy all connections to the store. */
const concurrency = 10;

export function batchSelfRevoke(options: BatchSelfRevokeOptions): Implementation<typeof HoldersService.method.batchSelfRevoke> {
  return async ({ credentials, reason }, call) => {
    const revocation = { reason: reasonFromMessage(reason), description: "" };
    const origin = contextOf(call).origin();
    const problems: unknown[] = [];
    const { announcer, announceAll } = collectAnnouncements(options.service.announcer);
    const service = { ...options.service, announcer };
    const revoke = async (credential: string): Promise<Outcome> => {
      const item = callOfItem(call);
      try {
        const tenant = await tenantOfCredential(options, call, credential);
        await selfRevokeKey(service, tenant, origin, { credential, revocation }, limitsOfCall(options, item));
        return { revokedOf: tenant };
      } catch (error) {
        return { error, retryAfterSeconds: item.retryAfterSeconds };
      }
    };
    const outcomes: Outcome[] = [];
    for (let start = 0; start < credentials.length; start += concurrency) {
      outcomes.push(...(await Promise.all(credentials.slice(start, start + concurrency).map(revoke))));
    }
    const unannounced = await announceAll();
    const results = outcomes.map((outcome): Result => {
      if ("revokedOf" in outcome && !unannounced.has(outcome.revokedOf)) return { revoked: true };
      const { error, retryAfterSeconds } = "revokedOf" in outcome ? { error: unannounced.get(outcome.revokedOf) } : outcome;
      if (!(error instanceof Failure) || isServerFault(error.reason)) problems.push(error);
      return failed(error, retryAfterSeconds);
    });
    if (problems.length > 0) options.reportUnanswered(problems[0]);
    return { results };
  };
}

function failed(error: unknown, retryAfterSeconds: number | undefined): Result {
  const { reason, message } = error instanceof Failure ? error : new Failure("INTERNAL");
  return { revoked: false, errorReason: reason, errorMessage: message, retryAfterSeconds };
}

/** A view of the call that drops Retry-After, which belongs to one item and not to the response. */
function callOfItem({ guessAddress }: Call): Pick<Call, "guessAddress" | "setResponseHeader"> & { retryAfterSeconds: number | undefined } {
  return {
    guessAddress,
    retryAfterSeconds: undefined,
    setResponseHeader(name, value) {
      if (name === "retry-after") this.retryAfterSeconds = Number(value);
    },
  };
}
