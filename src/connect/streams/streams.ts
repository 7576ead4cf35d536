import { Code, ConnectError } from "@connectrpc/connect";
import { Failure } from "../../error/failure.ts";

/**
 * The requests of a stream. They fail with the caller's mistake, and end with the call. `signal` is the call's; a shutdown aborts it too.
 */
export function guardRequests<T>(messages: AsyncIterable<T>, signal: AbortSignal, shutdownSignal: AbortSignal): AsyncIterable<T> {
  return guard(messages, signal, () => endOf(signal, shutdownSignal), requestFailure);
}

/**
 * The responses of a stream. They fail with the error that `errorFor` returns, and end with the call, whatever the method waits for. A
 * shutdown does not cut them off, because a method may have a last message to send (health's Watch has one).
 */
export function guardAnswers<T>(
  messages: AsyncIterable<T>,
  signal: AbortSignal,
  shutdownSignal: AbortSignal,
  errorFor: (error: unknown) => unknown,
): AsyncIterable<T> {
  return guard(messages, signal, () => (shutdownSignal.aborted ? undefined : endOf(signal, shutdownSignal)), errorFor);
}

async function* guard<T>(
  messages: AsyncIterable<T>,
  signal: AbortSignal,
  endFor: () => Failure | undefined,
  errorFor: (error: unknown) => unknown,
): AsyncGenerator<T> {
  const iterator = messages[Symbol.asyncIterator]();
  const aborted = Promise.withResolvers<never>();
  aborted.promise.catch(() => {});
  const abort = (): void => {
    const end = endFor();
    if (end !== undefined) aborted.reject(end);
  };
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  let isDone = false;
  let isTaken = false;
  try {
    for (;;) {
      const result = await Promise.race([iterator.next(), aborted.promise]);
      isDone = result.done === true;
      if (result.done === true) return;
      isTaken = true;
      yield result.value;
      isTaken = false;
    }
  } catch (error) {
    // Connect throws here if it cannot write a message, which is so if the client cancels while a message waits for its window.
    throw isTaken ? error : errorFor(error);
  } finally {
    signal.removeEventListener("abort", abort);
    // Not awaited, because a generator that waits for something that never happens never returns.
    if (!isDone) iterator.return?.().catch(() => {});
  }
}

function endOf(signal: AbortSignal, shutdownSignal: AbortSignal): Failure {
  if (shutdownSignal.aborted) return new Failure("SHUTTING_DOWN");
  const { reason } = signal;
  return new Failure(reason instanceof ConnectError && reason.code === Code.DeadlineExceeded ? "DEADLINE_EXCEEDED" : "CANCELLED");
}

/** While requests are read, every error is the caller's mistake. Connect's text for it may quote the request. */
function requestFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  if (!(error instanceof ConnectError)) return new Failure("CANCELLED");
  if (error.code === Code.ResourceExhausted) return new Failure("BODY_TOO_LARGE");
  // The code alone is not enough: Connect also uses "internal" for messages that are not protobuf.
  return new Failure(error.rawMessage.startsWith("received compressed envelope") ? "UNDECLARED_COMPRESSION" : "MALFORMED_BODY");
}
