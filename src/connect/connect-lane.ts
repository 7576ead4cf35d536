import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import { toBinary, toJson } from "@bufbuild/protobuf";
import { HttpCall } from "../http/http-call.ts";
import type { HttpRequest, HttpResponse } from "../http/message.ts";
import { type Codec, contentTypeOf } from "./codec.ts";
import type { Encoding } from "./compression.ts";
import { discardRest } from "./discard-rest.ts";
import { connectCodes, connectErrorBody, rpcError } from "./error-encoding.ts";
import { failureOf } from "./failures.ts";
import type { ConnectLaneOptions, RpcRoute } from "./lane.ts";
import { readRequestMessage } from "./read-request.ts";
import { parseConnectTimeout } from "./timeout.ts";

/** A Connect unary call by POST, start to end. `encoding` is the body's. The answer is not compressed. Rejects only where it cannot be written. */
export async function serveConnectUnary(
  route: RpcRoute,
  codec: Codec,
  encoding: Encoding | undefined,
  request: HttpRequest,
  response: HttpResponse,
  { admit, json, bodies, trustedProxies, reportError, answers }: ConnectLaneOptions,
): Promise<void> {
  // Node's compatibility layer for HTTP/2 adds to the cost of the stream below it (bench/micro.ts).
  const stream = "stream" in response ? response.stream : undefined;
  const source = stream ?? request;
  const call = new HttpCall(route.method, "connect", request, stream ?? response, trustedProxies);
  const run = async (): Promise<Buffer | Uint8Array> => {
    admit(call);
    const message = await readRequestMessage(request, source, route.method.input, {
      codec,
      encoding,
      maxBytes: route.maxBytes,
      json,
      lease: call.openBody(bodies),
    });
    const answer = await route.handler(message, call);
    return codec.binary ? toBinary(route.method.output, answer) : Buffer.from(JSON.stringify(toJson(route.method.output, answer)));
  };
  let status = 200;
  let contentType: string;
  let body: Uint8Array;
  try {
    body = await call.within(parseConnectTimeout(call.requestHeader("connect-timeout-ms")), run);
    contentType = contentTypeOf(codec);
  } catch (error) {
    const answer = rpcError(failureOf(error, call, reportError), call.requestId);
    status = connectCodes[answer.code].httpStatus;
    body = connectErrorBody(answer);
    contentType = "application/json";
  }
  if (call.isClosed) return;
  call.setAnswered();
  const headers: OutgoingHttpHeaders = call.responseHeaders;
  headers["content-type"] = contentType;
  headers["content-length"] = body.length;
  if (stream === undefined) {
    answers.end((response as ServerResponse).writeHead(status, headers), body);
  } else {
    // Headers that were set on the response before the call came here (CORS) have to be taken along.
    stream.respond({ ...response.getHeaders(), ...headers, ":status": status });
    stream.end(body);
  }
  discardRest(source);
}
