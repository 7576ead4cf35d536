import { randomUUID } from "node:crypto";
import type { Writable } from "node:stream";
import type { DescMethodUnary } from "@bufbuild/protobuf";
import type { Call, Caller, CallObservation, Protocol } from "../call/call.ts";
import { Failure } from "../error/failure.ts";
import type { BodyBudget, BodyLease } from "./body-budget.ts";
import { clientAddress, guessAddress } from "./client-address.ts";
import { hostOf } from "./host.ts";
import { connectionOf, headerOf, type RequestHead } from "./message.ts";
import { nodeHttp } from "./node-http.ts";

const { validateHeaderName, validateHeaderValue } = nodeHttp;

/** setTimeout fires immediately beyond this, about 25 days. A later deadline counts as no deadline. */
const maxTimerMs = 2 ** 31 - 1;

/** A unary call over HTTP, in any protocol. The parts that only some calls need (address, signal) are created at their first use. */
export class HttpCall implements Call {
  readonly method: DescMethodUnary;
  readonly protocol: Protocol;
  readonly requestId: string;
  caller: Caller | undefined = undefined;
  observation: CallObservation | undefined = undefined;
  tenant: string | undefined = undefined;
  isTenantOfHost = false;
  /**
   * Headers that the call set for its answer, by lower-case name, including `x-request-id`. Collected, because the protocols differ in
   * where errors have them.
   */
  readonly responseHeaders: Record<string, string>;
  /** The same for trailing metadata; undefined while there is none. */
  responseTrailers: Record<string, string> | undefined = undefined;
  readonly #request: RequestHead;
  readonly #sink: Writable;
  readonly #trustedProxies: readonly string[];
  #clientAddress: string | undefined;
  #controller: AbortController | undefined;
  #expired: Failure | undefined;
  #isAnswered = false;
  #body: BodyLease | undefined;

  /** `sink` is the target of the response. If it closes early, the caller has disconnected. */
  constructor(method: DescMethodUnary, protocol: Protocol, request: RequestHead, sink: Writable, trustedProxies: readonly string[]) {
    this.method = method;
    this.protocol = protocol;
    this.requestId = requestIdOf(request);
    this.responseHeaders = { "x-request-id": this.requestId };
    this.#request = request;
    this.#sink = sink;
    this.#trustedProxies = trustedProxies;
  }

  get clientAddress(): string {
    this.#clientAddress ??= clientAddress(this.#request, this.#trustedProxies);
    return this.#clientAddress;
  }

  get guessAddress(): string {
    return guessAddress(this.#request, this.clientAddress);
  }

  get host(): string {
    return hostOf(this.#request, this.#trustedProxies);
  }

  get connection(): object | undefined {
    return connectionOf(this.#request);
  }

  /** The caller has disconnected, or the response was already sent: nothing more can be written. */
  get isClosed(): boolean {
    return this.#sink.destroyed || this.#sink.closed || this.#sink.writableEnded;
  }

  onClose(listener: () => void): void {
    if (this.#sink.destroyed || this.#sink.closed) listener();
    else this.#sink.once("close", listener);
  }

  /**
   * After this, a closed connection no longer aborts the call. Node does not distinguish the two: it also "finishes" a stream that was
   * reset.
   */
  setAnswered(): void {
    this.#isAnswered = true;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = new AbortController();
      this.#controller = controller;
      if (this.#expired !== undefined) controller.abort(this.#expired);
      else if (this.#sink.destroyed) controller.abort();
      else {
        this.#sink.once("close", () => {
          if (!this.#isAnswered) controller.abort();
        });
      }
    }
    return this.#controller.signal;
  }

  /**
   * Opens the account of the call's body, which `closeBody` closes. Call it after the admission: callers with a valid token have more room.
   * The deadline ends the reading, so that a call that was answered never continues with the bytes received by then.
   */
  openBody(budget: BodyBudget): BodyLease {
    const lease = budget.open(this.caller !== undefined, this);
    this.#body = lease;
    if (this.#expired !== undefined) lease.cancel(this.#expired);
    return lease;
  }

  /** Ends the account of the body. Call it once nothing of the call runs any more: the decoded message is at least as large as the body. */
  closeBody(): void {
    this.#body?.release();
  }

  requestHeader(name: string): string | undefined {
    return headerOf(this.#request, name);
  }

  setResponseHeader(name: string, value: string): void {
    setField(this.responseHeaders, name, value);
  }

  setResponseTrailer(name: string, value: string): void {
    this.responseTrailers ??= {};
    setField(this.responseTrailers, name, value);
  }

  /**
   * Calls `onExpired` with DEADLINE_EXCEEDED once `timeoutMs` have passed; then `signal` aborts too. Clear the timer when the call ends
   * first. Undefined if there is nothing to wait for.
   */
  startDeadline(timeoutMs: number, onExpired: (failure: Failure) => void): NodeJS.Timeout | undefined {
    if (timeoutMs > maxTimerMs) return undefined;
    if (timeoutMs > 0) return setTimeout(() => onExpired(this.#expire()), timeoutMs);
    onExpired(this.#expire());
    return undefined;
  }

  /** The deadline has passed. */
  get isExpired(): boolean {
    return this.#expired !== undefined;
  }

  #expire(): Failure {
    this.#expired = new Failure("DEADLINE_EXCEEDED");
    this.#body?.cancel(this.#expired);
    this.#controller?.abort(this.#expired);
    return this.#expired;
  }
}

/** Throws on a name or value that HTTP does not allow: here, in the implementation's own stack, and not when the answer is written. */
function setField(fields: Record<string, string>, name: string, value: string): void {
  validateHeaderName(name);
  validateHeaderValue(name, value);
  fields[name.toLowerCase()] = value;
}

const printableId = /^[\x21-\x7e]{1,128}$/;

/** The caller's X-Request-Id if it is 1 to 128 printable ASCII characters, else a new UUID. */
export function requestIdOf(request: Pick<RequestHead, "headers">): string {
  const given = request.headers["x-request-id"];
  return typeof given === "string" && printableId.test(given) ? given : randomUUID();
}
