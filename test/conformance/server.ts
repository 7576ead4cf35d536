/**
 * The server under test: our listener, dispatcher, lanes and stream adapter with the suite's service. The suite starts one process for each
 * combination of protocol, HTTP version and TLS. It sends its requirements on standard input, and reads the address to call from standard
 * output.
 */
import { create, fromBinary, fromJson, type JsonValue, toBinary } from "@bufbuild/protobuf";
import { createRpcHandler } from "../../src/connect/rpc.ts";
import { createBodyBudget } from "../../src/http/body-budget.ts";
import { createJsonReader, type JsonReader } from "../../src/protojson/read.ts";
import { createDispatcher } from "../../src/server/dispatch.ts";
import { sendError } from "../../src/server/error-answer.ts";
import { defaultLimits } from "../../src/server/limits.ts";
import { createListener } from "../../src/server/listener.ts";
import { createTranscoder } from "../../src/transcode/transcoder.ts";
import { loadSuite, type ServerRequest, type Suite } from "./messages.ts";
import { noteRequests, noteStreams } from "./request-info.ts";
import { conformanceService, statusOf } from "./service.ts";

const suite = loadSuite(process.env.KEYWRIGHT_CONFORMANCE_DESCRIPTORS ?? "");
const request = fromBinary(suite.message("ServerCompatRequest"), await readDelimited()) as ServerRequest;
const credentials = request.useTls ? request.serverCreds : undefined;
const { port } = await start(suite, request);
const answer = create(suite.message("ServerCompatResponse"), { host: "127.0.0.1", port, pemCert: credentials?.cert });
writeDelimited(toBinary(suite.message("ServerCompatResponse"), answer));

function start(suite: Suite, { messageReceiveLimit }: ServerRequest): Promise<{ port: number }> {
  const { methods, streams } = conformanceService(suite);
  const { registry } = suite;
  // Our reader does not support google.protobuf.Any, which the suite's messages contain.
  const read: JsonReader["read"] = (schema, json) => fromJson(schema, json as JsonValue, { registry });
  const json: JsonReader = {
    ...createJsonReader({ unknownFields: "reject", presenceMasks: new Map() }),
    read,
    readInTurns: async (schema, json) => read(schema, json),
  };
  const reportError = (error: unknown): void => console.error(error);
  const maxBytes = (): number => messageReceiveLimit;
  // The suite sends messages of one repeated byte, compressed.
  const bodies = createBodyBudget({ maxBytes: 2 ** 30, maxAnonymousBytes: 2 ** 30, maxInflations: 2, maxInflationRatio: 2 ** 20 });
  const shared = { methods, admit: () => {}, json, bodies, trustedProxies: [], maxBytes, reportError };
  const rpc = createRpcHandler({
    ...shared,
    registry,
    openMethods: new Map(),
    streams: [streams],
    maxStreamMessageBytes: messageReceiveLimit,
    maxStreamsPerNetwork: Number.POSITIVE_INFINITY,
    shutdownSignal: new AbortController().signal,
    statusOf,
  });
  const listener = createListener({
    handler: createDispatcher({
      rpc: noteRequests(rpc.handler),
      isRpc: rpc.isRpc,
      health: (_request, response) => sendError(response, { httpStatus: 404, code: "NOT_FOUND", message: "no health checks here" }),
      transcoder: createTranscoder({ ...shared, rest: new Map() }),
    }),
    streamHandler: noteStreams(rpc.streamHandler),
    limits: defaultLimits,
    tls: credentials && { cert: Buffer.from(credentials.cert), key: Buffer.from(credentials.key) },
    onError: reportError,
  });
  return listener.listen("127.0.0.1", 0);
}

/** Reads a message that follows four bytes of length, big-endian. */
async function readDelimited(): Promise<Buffer> {
  let bytes = Buffer.alloc(0);
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    bytes = Buffer.concat([bytes, chunk]);
    if (bytes.length >= 4 && bytes.length >= 4 + bytes.readUInt32BE(0)) break;
  }
  return bytes.subarray(4, 4 + bytes.readUInt32BE(0));
}

function writeDelimited(message: Uint8Array): void {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(message.length, 0);
  process.stdout.write(Buffer.concat([head, message]));
}
