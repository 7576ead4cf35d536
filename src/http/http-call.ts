import { randomUUID } from "node:crypto";
import type { DescMethodUnary } from "@bufbuild/protobuf";
import type { Call, Caller, Protocol } from "../call/call.ts";
import { type Cidr, clientAddress } from "./client-address.ts";
import { type HttpRequest, type HttpResponse, headerOf } from "./message.ts";

/** A call over HTTP. What only some calls need (address, signal) is made when first asked for. */
export class HttpCall implements Call {
  readonly method: DescMethodUnary;
  readonly protocol: Protocol;
  readonly requestId: string;
  caller: Caller | undefined = undefined;
  readonly #request: HttpRequest;
  readonly #response: HttpResponse;
  readonly #trustedProxies: readonly Cidr[];
  #signal: AbortSignal | undefined;

  constructor(method: DescMethodUnary, protocol: Protocol, request: HttpRequest, response: HttpResponse, trustedProxies: readonly Cidr[]) {
    this.method = method;
    this.protocol = protocol;
    this.requestId = requestIdOf(request);
    this.#request = request;
    this.#response = response;
    this.#trustedProxies = trustedProxies;
    response.setHeader("x-request-id", this.requestId);
  }

  get clientAddress(): string {
    return clientAddress(this.#request, this.#trustedProxies);
  }

  get signal(): AbortSignal {
    this.#signal ??= abortOnClose(this.#response);
    return this.#signal;
  }

  requestHeader(name: string): string | undefined {
    return headerOf(this.#request, name);
  }

  setResponseHeader(name: string, value: string): void {
    this.#response.setHeader(name, value);
  }
}

const printableId = /^[\x21-\x7e]{1,128}$/;

/** The caller's X-Request-Id where it is 1 to 128 printable ASCII characters, else a new UUID. */
export function requestIdOf(request: HttpRequest): string {
  const given = request.headers["x-request-id"];
  return typeof given === "string" && printableId.test(given) ? given : randomUUID();
}

function abortOnClose(response: HttpResponse): AbortSignal {
  const controller = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) controller.abort();
  });
  return controller.signal;
}
