import { Code, type ConnectError } from "@connectrpc/connect";
import { Failure } from "../error/failure.ts";
import type { Reason } from "../error/table.ts";

const reasonsOfCodes: Partial<Record<Code, Reason>> = {
  [Code.Canceled]: "CANCELLED",
  [Code.InvalidArgument]: "INVALID_REQUEST",
  [Code.DeadlineExceeded]: "DEADLINE_EXCEEDED",
  [Code.NotFound]: "ROUTE_NOT_FOUND",
  [Code.PermissionDenied]: "PERMISSION_DENIED",
  [Code.ResourceExhausted]: "BODY_TOO_LARGE",
  [Code.Unimplemented]: "UNIMPLEMENTED",
  [Code.Unavailable]: "SHUTTING_DOWN",
  [Code.Unauthenticated]: "UNAUTHENTICATED",
};

/** An error of a service that is written against Connect (health, reflection), with the reason that fits its code. */
export function failureOfConnectError(error: ConnectError): Failure | undefined {
  const reason = reasonsOfCodes[error.code];
  return reason === undefined ? undefined : new Failure(reason, { message: error.rawMessage });
}
