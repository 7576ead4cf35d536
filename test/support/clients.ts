import type { JsonObject } from "@bufbuild/protobuf";
import type { CallOptions, Client, ClientKind, Reply } from "./clients/client.ts";
import { connectKinds } from "./clients/connect.ts";
import { connectJson } from "./clients/connect-json.ts";
import { grpcJs } from "./clients/grpc-js.ts";
import { restHttp1, restHttp2 } from "./clients/rest.ts";

/** Every way to reach the API: each protocol over each HTTP version and codec that it has. */
export const clientKinds: readonly ClientKind[] = [grpcJs, ...connectKinds, connectJson, restHttp1, restHttp2];

/** Returns the response; throws with the error if there is none. */
export async function succeed(client: Client, methodName: string, request: JsonObject, options?: CallOptions): Promise<JsonObject> {
  const reply = await client.call(methodName, request, options);
  if (!reply.ok) throw new Error(`${client.name}: ${methodName} answered ${reply.code} ${reply.reason}: ${reply.message}`);
  return reply.response;
}

/** Returns the error; throws if there is none. */
export async function refused(client: Client, methodName: string, request: JsonObject, options?: CallOptions) {
  const reply: Reply = await client.call(methodName, request, options);
  if (reply.ok) throw new Error(`${client.name}: ${methodName} succeeded`);
  return reply;
}
