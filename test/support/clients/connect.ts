import { Agent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { fromJson, toJson } from "@bufbuild/protobuf";
import { ConnectError, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport, Http2SessionManager } from "@connectrpc/connect-node";
import {
  asObject,
  type ClientKind,
  type ClientTls,
  codeName,
  detailJson,
  headersOf,
  methodNamed,
  type Refusal,
  type Reply,
  refusalFrom,
} from "./client.ts";

type Protocol = "gRPC" | "gRPC-Web" | "Connect" | "Connect GET";

interface Variant {
  readonly protocol: Protocol;
  readonly httpVersion: "1.1" | "2";
  readonly codec: "binary" | "JSON";
  readonly contentType: RegExp;
}

const variants: readonly Variant[] = [
  { protocol: "gRPC", httpVersion: "2", codec: "binary", contentType: /^application\/grpc(\+proto)?$/ },
  { protocol: "gRPC", httpVersion: "2", codec: "JSON", contentType: /^application\/grpc\+json$/ },
  { protocol: "gRPC-Web", httpVersion: "1.1", codec: "binary", contentType: /^application\/grpc-web(\+proto)?$/ },
  { protocol: "gRPC-Web", httpVersion: "2", codec: "JSON", contentType: /^application\/grpc-web\+json$/ },
  { protocol: "Connect", httpVersion: "1.1", codec: "binary", contentType: /^application\/proto$/ },
  { protocol: "Connect", httpVersion: "1.1", codec: "JSON", contentType: /^application\/json$/ },
  { protocol: "Connect", httpVersion: "2", codec: "binary", contentType: /^application\/proto$/ },
  { protocol: "Connect", httpVersion: "2", codec: "JSON", contentType: /^application\/json$/ },
  { protocol: "Connect GET", httpVersion: "1.1", codec: "JSON", contentType: /^application\/json$/ },
  { protocol: "Connect GET", httpVersion: "2", codec: "binary", contentType: /^application\/proto$/ },
];

/** gRPC, gRPC-Web and Connect with connect-node. */
export const connectKinds: readonly ClientKind[] = variants.map(kindOf);

function kindOf(variant: Variant): ClientKind {
  const { protocol, httpVersion, codec, contentType } = variant;
  const name = `${protocol} ${codec}, HTTP/${httpVersion}`;
  return {
    name,
    wire: { httpVersion, contentType, readsByGet: protocol === "Connect GET" },
    sendsAnyJson: false,
    open(url, defaultToken, tls) {
      const { transport, close } = openTransport(variant, url, tls);
      return {
        name,
        async call(methodName, request, options = {}): Promise<Reply> {
          const method = methodNamed(methodName);
          const message = fromJson(method.input, request);
          try {
            const reply = await transport.unary(method, undefined, undefined, headersOf(defaultToken, options), message);
            const response = asObject(toJson(method.output, reply.message, { useProtoFieldName: true }));
            return { ok: true, response, headers: reply.header };
          } catch (error) {
            return refusalOf(error);
          }
        },
        async [Symbol.asyncDispose]() {
          close();
        },
      };
    },
  };
}

function openTransport({ protocol, httpVersion, codec }: Variant, baseUrl: string, tls?: ClientTls) {
  const sessionManager = new Http2SessionManager(baseUrl, undefined, tls);
  const agent = tls === undefined ? new Agent({ keepAlive: true }) : new HttpsAgent({ keepAlive: true, ...tls });
  const format = { baseUrl, useBinaryFormat: codec === "binary", jsonOptions: { ignoreUnknownFields: false } };
  const options = { ...format, ...(httpVersion === "2" ? { httpVersion, sessionManager } : { httpVersion, nodeOptions: { agent } }) };
  const transports: Record<Protocol, () => Transport> = {
    gRPC: () => createGrpcTransport({ ...format, sessionManager }),
    "gRPC-Web": () => createGrpcWebTransport(options),
    Connect: () => createConnectTransport(options),
    "Connect GET": () => createConnectTransport({ ...options, useHttpGet: true }),
  };
  return {
    transport: transports[protocol](),
    close() {
      sessionManager.abort();
      agent.destroy();
    },
  };
}

function refusalOf(error: unknown): Refusal {
  if (!(error instanceof ConnectError)) throw error;
  const details = error.details.map((detail) => {
    if (!("type" in detail)) throw new Error("a detail that did not come from the server");
    return detailJson(detail.type, detail.value);
  });
  return refusalFrom({ code: codeName(error.code), details, message: error.rawMessage, headers: error.metadata });
}
