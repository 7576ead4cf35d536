import type { Call } from "../call/call.ts";

/**
 * A verification on behalf of an end user, as a part of the call of a gateway. The headers of the call may be the end user's, so none of
 * them is used here: Cache-Control, for example, could bypass the cache. The address of the call is the gateway's, so it is not the end
 * user's either.
 */
export class EndUserCall implements Call {
  readonly method: Call["method"];
  readonly clientAddress = "";
  readonly guessAddress = "";
  caller: Call["caller"];
  observation: Call["observation"];
  tenant: Call["tenant"] = undefined;
  isTenantOfHost = false;
  /** Headers of the end user's response, by lower-case name. */
  readonly answerHeaders: Record<string, string> = {};
  readonly #call: Call;
  readonly #headers: Readonly<Record<string, string>>;

  /** `headers`, by lower-case name, replace those of the call. */
  constructor(call: Call, method: Call["method"], headers: Readonly<Record<string, string>>) {
    this.method = method;
    this.#call = call;
    this.caller = call.caller;
    this.observation = call.observation;
    this.#headers = headers;
  }

  get protocol() {
    return this.#call.protocol;
  }

  get requestId() {
    return this.#call.requestId;
  }

  get connection() {
    return this.#call.connection;
  }

  get signal() {
    return this.#call.signal;
  }

  get host() {
    return this.#call.host;
  }

  onClose(listener: () => void): void {
    this.#call.onClose(listener);
  }

  requestHeader(name: string): string | undefined {
    return this.#headers[name];
  }

  setResponseHeader(name: string, value: string): void {
    this.answerHeaders[name.toLowerCase()] = value;
  }

  setResponseTrailer(): void {}
}
