import { Code, type ConnectError } from "@connectrpc/connect";
import { Failure } from "../error/failure.ts";
import type { Reason } from "../error/table.ts";
import type { HttpCall } from "../http/http-call.ts";

/** Told of errors that are no Failure and so leave as INTERNAL: for the log. They may quote values of the call. */
export type ErrorReporter = (error: unknown) => void;

/** The end of a call that fails: what its caller may know of the error. What is no Failure is reported, unless all that happened is that the caller went away. */
export function failureOf(error: unknown, call: Pick<HttpCall, "isClosed" | "observation">, report: ErrorReporter): Failure {
  const failure = error instanceof Failure ? error : new Failure(call.isClosed ? "CANCELLED" : "INTERNAL");
  if (failure.reason === "INTERNAL" && failure !== error) report(error);
  call.observation?.end(failure);
  return failure;
}

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
