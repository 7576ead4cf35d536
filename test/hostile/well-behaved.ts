import { Agent, request } from "node:http";
import { type ClientHttp2Session, connect } from "node:http2";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { VerifyApiKeyRequestSchema, VerifyApiKeyResponseSchema } from "../../gen/keywright/v2alpha1/verification_pb.ts";

export interface WellBehavedClient {
  readonly answers: number;
  readonly errors: readonly string[];
  /** Latency of all responses, in milliseconds. */
  latencyMs(quantile: number): number;
  stop(): Promise<void>;
}

const timeoutMs = 10_000;

/** Verifies one key over JSON/HTTP on a kept connection, and over gRPC, each every `intervalMs`. */
export function startWellBehavedClient(
  target: { url: string; port: number; adminToken: string },
  secret: string,
  intervalMs: number,
): WellBehavedClient {
  const errors: string[] = [];
  const latencies: number[] = [];
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const session = connect(target.url);
  session.on("error", (error) => errors.push(`gRPC session: ${error.message}`));
  let isStopped = false;

  const verifyForEver = async (name: string, verify: () => Promise<void>) => {
    while (!isStopped) {
      const begunMs = performance.now();
      try {
        await verify();
        latencies.push(performance.now() - begunMs);
      } catch (error) {
        errors.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      }
      await new Promise((wake) => setTimeout(wake, intervalMs));
    }
  };
  const loops = [
    verifyForEver("JSON/HTTP", () => verifyOverJson(target, agent, secret)),
    verifyForEver("gRPC", () => verifyOverGrpc(session, target.adminToken, secret)),
  ];

  return {
    get answers() {
      return latencies.length;
    },
    errors,
    latencyMs: (quantile) => latencies.toSorted((a, b) => a - b)[Math.floor(quantile * (latencies.length - 1))] ?? 0,
    async stop() {
      isStopped = true;
      await Promise.all(loops);
      agent.destroy();
      session.destroy();
    },
  };
}

function verifyOverJson({ port, adminToken }: { port: number; adminToken: string }, agent: Agent, credential: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${adminToken}`, "content-type": "application/json" };
    const outgoing = request(
      { port, host: "127.0.0.1", method: "POST", path: "/v2alpha1/admin/apiKeys:verify", agent, headers, timeout: timeoutMs },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("error", reject);
        response.on("end", () => {
          if (response.statusCode === 200 && text.includes('"is_valid":true')) resolve();
          else reject(new Error(`HTTP ${response.statusCode}: ${text.slice(0, 300)}`));
        });
      },
    );
    outgoing.on("error", reject);
    outgoing.on("timeout", () => outgoing.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    outgoing.end(JSON.stringify({ credential }));
  });
}

function verifyOverGrpc(session: ClientHttp2Session, adminToken: string, credential: string): Promise<void> {
  const message = toBinary(VerifyApiKeyRequestSchema, create(VerifyApiKeyRequestSchema, { credential }));
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": "POST",
      ":path": "/keywright.v2alpha1.ApiKeysService/AdminVerifyApiKey",
      authorization: `Bearer ${adminToken}`,
      "content-type": "application/grpc",
      te: "trailers",
    });
    const chunks: Buffer[] = [];
    let grpcStatus: string | undefined;
    stream.setTimeout(timeoutMs, () => stream.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    stream.on("response", (headers) => {
      grpcStatus ??= headers["grpc-status"]?.toString();
    });
    stream.on("trailers", (trailers) => {
      grpcStatus = trailers["grpc-status"]?.toString();
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("close", () => {
      const body = Buffer.concat(chunks).subarray(5);
      if (grpcStatus === "0" && fromBinary(VerifyApiKeyResponseSchema, body).isValid) resolve();
      else reject(new Error(`gRPC status ${grpcStatus}, RST_STREAM ${stream.rstCode}`));
    });
    stream.end(Buffer.concat([prefix, message]));
  });
}
