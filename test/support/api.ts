import type { JsonObject } from "@bufbuild/protobuf";
import type { Parts } from "../../src/composition/given.ts";
import { asObject, type CallOptions, type Refusal } from "./clients/client.ts";
import { grpcJs } from "./clients/grpc-js.ts";
import { restHttp1 } from "./clients/rest.ts";
import { refused, succeed } from "./clients.ts";
import { startServerHere } from "./server-here.ts";
import type { RunningServer, ServerOptions } from "./server-process.ts";

export interface IssuedKey {
  readonly keyId: string;
  readonly secret: string;
  /** The resource. */
  readonly key: JsonObject;
}

/** A server with a client, for tests of methods. The matrix tests the protocols. */
export interface Api<Server extends RunningServer = RunningServer> extends AsyncDisposable {
  readonly server: Server;
  /** The response; rejects on an error. */
  call(methodName: string, request: JsonObject, options?: CallOptions): Promise<JsonObject>;
  /** Returns the error; rejects if there is none. */
  refused(methodName: string, request: JsonObject, options?: CallOptions): Promise<Refusal>;
  issue(request?: JsonObject): Promise<IssuedKey>;
  get(keyId: string): Promise<JsonObject>;
  verify(request: JsonObject, options?: CallOptions): Promise<JsonObject>;
}

/** A server in the test's own process, whose clock a test can move. */
export interface ApiHere extends Api {
  /** Moves the clock of the server, so that a test need not wait for an expiry. Rate limits have a clock of their own. */
  pass(durationMs: number): void;
}

type Over = "json-http" | "grpc";

/** `over`: JSON/HTTP distinguishes an empty list from none, protobuf does not. */
export async function startApi(over: Over = "grpc", options: ServerOptions = {}, parts: Partial<Parts> = {}): Promise<ApiHere> {
  let aheadMs = 0;
  const server = await startServerHere(options, { clock: () => Date.now() + aheadMs, ...parts });
  const pass: ApiHere["pass"] = (durationMs) => {
    aheadMs += durationMs;
  };
  return { ...apiOf(server, over), pass };
}

/** Also disposes of the server. */
export function apiOf<Server extends RunningServer>(server: Server, over: Over): Api<Server> {
  const client = (over === "grpc" ? grpcJs : restHttp1).open(server.url, server.adminToken);
  const call: Api["call"] = (methodName, request, callOptions) => succeed(client, methodName, request, callOptions);
  return {
    server,
    call,
    refused: (methodName, request, callOptions) => refused(client, methodName, request, callOptions),
    async issue(request = {}) {
      const { issued_api_key, secret } = await call("AdminIssueApiKey", request);
      const key = asObject(issued_api_key);
      return { keyId: String(key.key_id), secret: String(secret ?? ""), key };
    },
    get: (keyId) => call("AdminGetIssuedApiKey", { key_id: keyId }),
    verify: (request, callOptions) => call("AdminVerifyApiKey", request, callOptions),
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** Code and invalid fields of an error. */
export function faults({ code, violations }: Refusal): readonly string[] {
  return [code, ...violations.map(({ field }) => field)];
}

export function delay(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}

/** Returns different scopes. */
export function manyScopes(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `scope:${index}`);
}
