import type { DescMessage } from "@bufbuild/protobuf";
import { Health } from "../../gen/grpc/health/v1/health_pb.ts";
import { RotateIssuedApiKeyRequestSchema } from "../../gen/keywright/v2alpha1/issued_api_key_pb.ts";
import type { Admission } from "../call/call.ts";
import { failureStatus } from "../call/error-details.ts";
import { createMethodTable, type MethodTable } from "../call/methods.ts";
import type { Config } from "../config/config.ts";
import { createRpcHandler } from "../connect/rpc.ts";
import { createServerStreamLane } from "../connect/server-stream-lane.ts";
import type { Gateways } from "../gateways/gateways.ts";
import type { BodyBudget } from "../http/body-budget.ts";
import type { HttpHandler, StreamHandler } from "../http/message.ts";
import type { OriginOf } from "../introspection/introspection.ts";
import { createJsonReader } from "../protojson/read.ts";
import { overridesPresent } from "../rpc/api-keys/rotate-issued-api-key.ts";
import { maxStreamMessageBytes } from "../rpc/body-bounds.ts";
import { maxBytes, maxJsonValues, successes } from "../rpc/method-table.ts";
import { createCors } from "../server/cors.ts";
import { createDispatcher } from "../server/dispatch.ts";
import type { ServerServices } from "../server/services.ts";
import { createTranscoder } from "../transcode/transcoder.ts";
import { createRooms } from "./rooms.ts";

export interface ProtocolParts {
  readonly config: Config;
  readonly version: string;
  readonly methods: MethodTable;
  readonly admit: Admission;
  readonly audited: (admit: Admission) => Admission;
  readonly bodies: BodyBudget;
  readonly server: ServerServices;
  readonly gateways: Gateways;
  readonly originOf: OriginOf;
  /** Ends calls that do not end by themselves. */
  readonly shutdownSignal: AbortSignal;
  readonly reportError: (error: unknown) => void;
}

export interface Protocols {
  readonly handler: HttpHandler;
  readonly streamHandler: StreamHandler;
}

/** Makes gRPC, gRPC-Web, Connect and JSON/HTTP from one table of methods, and the handlers beside them. */
export function createProtocols(parts: ProtocolParts): Protocols {
  const { config, version, methods, admit, bodies, server, gateways, shutdownSignal, reportError } = parts;
  const { trustedProxies } = config;
  const json = createJsonReader({
    unknownFields: config.unknownFields,
    maxValues: maxJsonValues,
    presenceMasks: new Map([[RotateIssuedApiKeyRequestSchema as DescMessage, overridesPresent]]),
  });
  const served = { methods, admit, bodies, maxBytes, trustedProxies, reportError };
  const rpc = createRpcHandler({
    ...served,
    openMethods: createMethodTable(Health, server.healthMethods, []),
    otherRoutes: gateways.rpc,
    streams: server.streams,
    json,
    maxStreamMessageBytes,
    shutdownSignal,
    statusOf: failureStatus,
  });
  const watchLane = createServerStreamLane([server.watches], { json, statusOf: failureStatus, reportError });
  return {
    handler: createDispatcher({
      rpc: rpc.handler,
      isRpc: rpc.isRpc,
      health: server.healthHttp,
      rooms: createRooms({ ...served, audited: parts.audited, originOf: parts.originOf }, { version, docs: config.docs }),
      gateways: gateways.http,
      transcoder: createTranscoder({ ...served, json, rest: successes }),
      cors: createCors(config.corsOrigins),
    }),
    streamHandler: (...stream) => rpc.streamHandler(...stream) || watchLane(...stream),
  };
}
