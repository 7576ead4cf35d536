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

/** The tenant whose key was revoked, or why none was. */
type Outcome = { readonly revokedOf: string } | { readonly error: unknown; readonly retryAfterSeconds?: number | undefined };

/** Maximum concurrent revocations: one call of an unknown caller must not occupy all connections to the store. */
const concurrency = 10;
/**
 * Revocations that are announced together. While the shared cache accepts no changes, each announcement waits for a generation. But what
 * was not announced yet when a process is killed holds elsewhere only once entries expire.
 */
const perAnnouncement = 2 * concurrency;

export function batchSelfRevoke(options: BatchSelfRevokeOptions): Implementation<typeof HoldersService.method.batchSelfRevoke> {
  return async ({ credentials, reason }, call) => {
    const revocation = { reason: reasonFromMessage(reason), description: "" };
    const origin = contextOf(call).origin();
    const revokeOne = async (service: KeyService, credential: string): Promise<Outcome> => {
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
    for (const part of partsOf(credentials, perAnnouncement)) outcomes.push(...(await revokeTogether(options.service, part, revokeOne)));
    const isOurFault = (outcome: Outcome) =>
      "error" in outcome && (!(outcome.error instanceof Failure) || isServerFault(outcome.error.reason));
    const problem = outcomes.find(isOurFault);
    if (problem !== undefined && "error" in problem) options.reportUnanswered(problem.error);
    return { results: outcomes.map(resultOf) };
  };
}

/** Revokes the keys and then announces that. A key whose revocation could not be announced does not count as revoked. */
async function revokeTogether(
  service: KeyService,
  credentials: readonly string[],
  revokeOne: (service: KeyService, credential: string) => Promise<Outcome>,
): Promise<Outcome[]> {
  const { announcer, announceAll } = collectAnnouncements(service.announcer);
  const collecting = { ...service, announcer };
  const outcomes: Outcome[] = [];
  for (const part of partsOf(credentials, concurrency)) {
    outcomes.push(...(await Promise.all(part.map((credential) => revokeOne(collecting, credential)))));
  }
  const unannounced = await announceAll();
  return outcomes.map((outcome) =>
    "revokedOf" in outcome && unannounced.has(outcome.revokedOf) ? { error: unannounced.get(outcome.revokedOf) } : outcome,
  );
}

function partsOf<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) => items.slice(index * size, (index + 1) * size));
}

function resultOf(outcome: Outcome): Result {
  return "revokedOf" in outcome ? { revoked: true } : failed(outcome.error, outcome.retryAfterSeconds);
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
