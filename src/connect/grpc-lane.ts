import type { IncomingHttpHeaders } from "node:http";
import type { OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { toBinary } from "@bufbuild/protobuf";
import { HttpCall } from "../http/http-call.ts";
import { StreamHead } from "../http/message.ts";
import type { Codec } from "./codec.ts";
import type { Encoding } from "./compression.ts";
import { discardRest } from "./discard-rest.ts";
import { writeEnvelope } from "./envelope.ts";
import { grpcErrorTrailers } from "./error-encoding.ts";
import { failureOf } from "./failures.ts";
import type { LaneOptions, RpcRoute } from "./lane.ts";
import { readRequestMessage } from "./read-request.ts";
import { parseGrpcTimeout } from "./timeout.ts";

const codec: Pick<Codec, "binary" | "enveloped"> = { binary: true, enveloped: true };
const awaitTrailers = { waitForTrailers: true };
const okTrailers = { "grpc-status": "0" };

/** A gRPC unary call over HTTP/2, start to end. `encoding` is that of compressed messages. The answer is not compressed. Rejects only where it cannot be written. */
export async function serveGrpcUnary(
  route: RpcRoute,
  encoding: Encoding | undefined,
  stream: ServerHttp2Stream,
  requestHeaders: IncomingHttpHeaders,
  { admit, json, bodies, trustedProxies, reportError }: LaneOptions,
): Promise<void> {
  const head = new StreamHead(stream, requestHeaders);
  const call = new HttpCall(route.method, "grpc", head, stream, trustedProxies);
  const run = async (): Promise<Buffer> => {
    admit(call);
    const message = await readRequestMessage(head, stream, route.method.input, {
      codec,
      encoding,
      maxBytes: route.maxBytes,
      json,
      lease: call.openBody(bodies),
    });
    return writeEnvelope(toBinary(route.method.output, await route.handler(message, call)));
  };
  const headers: OutgoingHttpHeaders = call.responseHeaders;
  try {
    const frame = await call.withDeadline(parseGrpcTimeout(call.requestHeader("grpc-timeout")), run);
    if (call.isClosed) return;
    call.setAnswered();
    headers["content-type"] = "application/grpc+proto";
    stream.on("wantTrailers", sendOkTrailers);
    stream.respond(headers, awaitTrailers);
    stream.end(frame);
  } catch (error) {
    const trailers = grpcErrorTrailers(failureOf(error, call, reportError), call.requestId);
    if (call.isClosed) return;
    call.setAnswered();
    // Trailers-Only: one frame, and clients find the call's headers in the error's metadata.
    stream.respond({ ...headers, "content-type": "application/grpc+proto", ...trailers }, { endStream: true });
  }
  discardRest(stream);
}

function sendOkTrailers(this: ServerHttp2Stream): void {
  this.sendTrailers(okTrailers);
}
