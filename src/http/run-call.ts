import type { Message } from "@bufbuild/protobuf";
import type { Admission, CallObservation, Handler } from "../call/call.ts";
import { Failure } from "../error/failure.ts";
import { isServerFault } from "../error/table.ts";
import type { HttpCall } from "./http-call.ts";

/** Receives errors that are our own fault and that no call can log. They may quote values of the call. */
export type ErrorReporter = (error: unknown) => void;

/** A method, in the form that a protocol serves. */
export interface ServedMethod {
  readonly admit: Admission;
  readonly handler: Handler;
}

/** The steps of a protocol for a call. Each step throws a Failure for the caller's mistakes. */
export interface CallSteps<Answer> {
  /** The caller's deadline; undefined if there is none. */
  timeoutMs(): number | undefined;
  read(): Message | Promise<Message>;
  encode(answer: Message): Answer;
}

/**
 * Runs one call, the same on every protocol: admit, read, handle, encode. Calls `done` once, with the encoded response or the failure;
 * before it returns, if nothing had to wait. The end of the call is recorded here, after the response is encoded, because a response that
 * cannot be encoded is a failed call. Makes no promise of its own, because each costs a call as much as a look-up. `done` must not throw.
 */
export function startCall<Answer>(
  call: HttpCall,
  { admit, handler }: ServedMethod,
  steps: CallSteps<Answer>,
  report: ErrorReporter,
  done: (outcome: Answer | Failure) => void,
): void {
  let timer: NodeJS.Timeout | undefined;
  const refuse = (error: unknown): void => done(failureOf(error, call, report));
  /** Nothing of the call runs any more. */
  const settle = (): void => {
    if (timer !== undefined) clearTimeout(timer);
    call.closeBody();
  };
  const fail = (error: unknown): void => {
    settle();
    if (call.isExpired) reportLate(error, call, report);
    else refuse(error);
  };
  const end = (answer: Answer): void => {
    settle();
    if (call.isExpired) return;
    record(call.observation, null, report);
    done(answer);
  };
  /** Passes the result of a step on, once it is there. */
  const proceed = <T>(step: () => T | Promise<T>, next: (result: T) => void): void => {
    let result: T | Promise<T>;
    try {
      result = step();
    } catch (error) {
      fail(error);
      return;
    }
    if (result instanceof Promise) result.then(next, fail);
    else next(result);
  };
  const encode = (answer: Message): void => {
    if (call.isExpired) settle();
    else proceed(() => steps.encode(answer), end);
  };
  const handle = (request: Message): void => {
    if (call.isExpired) settle();
    else proceed(() => handler(request, call), encode);
  };
  const read = (): void => {
    proceed(steps.timeoutMs, (timeoutMs) => {
      if (timeoutMs !== undefined) timer = call.startDeadline(timeoutMs, refuse);
      if (!call.isExpired) proceed(steps.read, handle);
    });
  };
  proceed(() => admit(call), read);
}

/** The same as a promise, which never rejects, for callers that do not count promises. */
export function runCall<Answer>(
  call: HttpCall,
  served: ServedMethod,
  steps: CallSteps<Answer>,
  report: ErrorReporter,
): Promise<Answer | Failure> {
  return new Promise((resolve) => startCall(call, served, steps, report, resolve));
}

/**
 * Ends a call that fails. Returns the part of the error that its caller may see. An error that is our own fault is logged by the call's
 * observation, or reported if it has none.
 */
export function failureOf(
  error: unknown,
  call: Pick<HttpCall, "isClosed" | "observation"> & Partial<Pick<HttpCall, "setResponseHeader">>,
  report: ErrorReporter,
): Failure {
  const failure = asFailure(error, call);
  for (const [name, value] of Object.entries(retryHeaders(failure))) call.setResponseHeader?.(name, value);
  if (call.observation !== undefined) record(call.observation, failure, report);
  else if (isServerFault(failure.reason)) report(failure.cause ?? failure);
  return failure;
}

/** The response headers that say when to retry after the failure. A refusal by a limit says it itself. */
export function retryHeaders({ reason }: Failure): Readonly<Record<string, string>> {
  return reason === "STORE_UNAVAILABLE" || reason === "TOO_MANY_BODIES" ? { "retry-after": retrySeconds } : {};
}

/** A failover takes a few seconds, and so does counting millions of keys; most other interruptions are shorter. */
const retrySeconds = "1";

/** A call is answered even if its end cannot be recorded: by the log, the metrics or the traces. */
function record(observation: CallObservation | undefined, failure: Failure | null, report: ErrorReporter): void {
  try {
    observation?.end(failure);
  } catch (error) {
    report(error);
  }
}

/** Errors other than Failure are our own faults, unless the client disconnected and the error is only a consequence. */
function asFailure(error: unknown, { isClosed }: Pick<HttpCall, "isClosed">): Failure {
  if (error instanceof Failure) return error;
  const isAbort = error instanceof Error && error.name === "AbortError";
  return isClosed && isAbort ? new Failure("CANCELLED") : new Failure("INTERNAL", { cause: error });
}

/** The caller already got DEADLINE_EXCEEDED, but the later error may explain why the call took so long. */
function reportLate(error: unknown, call: HttpCall, report: ErrorReporter): void {
  const failure = asFailure(error, call);
  if (!isServerFault(failure.reason)) return;
  report(new Error(`call ${call.requestId} failed after its deadline`, { cause: failure.cause ?? failure }));
}
