import { setTimeout as delay } from "node:timers/promises";
import {
  create,
  type DescMethod,
  type DescMethodBiDiStreaming,
  type DescMethodClientStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type Message,
} from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import type { HandlerContext } from "@connectrpc/connect";
import { type Status, StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import type { Handler } from "../../src/call/call.ts";
import { failureStatus } from "../../src/call/error-details.ts";
import type { MethodTable } from "../../src/call/methods.ts";
import type { RegisteredStreams } from "../../src/call/streams.ts";
import { Failure } from "../../src/error/failure.ts";
import type { HeaderLine, StreamDefinition, StreamMessage, Suite, UnaryDefinition, UnaryMessage, WantedError } from "./messages.ts";
import { requestInfo } from "./request-info.ts";

/** An error that the suite requests, exactly as requested. */
class WantedFailure extends Failure {
  readonly status: Status;

  constructor(status: Status) {
    super("INVALID_REQUEST");
    this.status = status;
  }
}

/** Returns our own failures without their details: the suite counts an error's details and expects none here. */
export function statusOf(failure: Failure, requestId: string): Status {
  return failure instanceof WantedFailure ? failure.status : { ...failureStatus(failure, requestId), details: [] };
}

/** ConformanceService as its proto file describes it: unary methods for the lanes, streaming methods for Connect's router. */
export function conformanceService(suite: Suite): { methods: MethodTable; streams: RegisteredStreams } {
  const method = (name: string) => suite.service.methods.find((it) => it.name === name);
  const unary = unaryHandler(suite);
  const unimplemented: Handler = () => Promise.reject(new Failure("UNIMPLEMENTED"));
  return {
    methods: new Map([
      [method("Unary") as DescMethodUnary, (request, call) => unary(request, call, "UnaryResponse")],
      [method("IdempotentUnary") as DescMethodUnary, (request, call) => unary(request, call, "IdempotentUnaryResponse")],
      [method("Unimplemented") as DescMethodUnary, unimplemented],
    ]),
    streams: {
      methods: ["ClientStream", "ServerStream", "BidiStream"].map((name) => method(name) as DescMethod),
      register(router) {
        router.rpc(method("ClientStream") as DescMethodClientStreaming, clientStream(suite));
        router.rpc(method("ServerStream") as DescMethodServerStreaming, serverStream(suite));
        router.rpc(method("BidiStream") as DescMethodBiDiStreaming, bidiStream(suite));
      },
    },
  };
}

function unaryHandler(suite: Suite) {
  return async (request: Message, call: Parameters<Handler>[1], output: string): Promise<Message> => {
    const definition = (request as UnaryMessage).responseDefinition;
    if (definition !== undefined) {
      for (const { name, value } of definition.responseHeaders) call.setResponseHeader(name, value.join(", "));
      for (const { name, value } of definition.responseTrailers) call.setResponseTrailer(name, value.join(", "));
    }
    return create(suite.message(output), { payload: await unaryPayload(suite, definition, [request]) });
  };
}

async function unaryPayload(suite: Suite, definition: UnaryDefinition | undefined, requests: readonly Message[]): Promise<Message> {
  await pause(definition);
  if (definition?.response.case === "error") throw wanted(suite, definition.response.value, requests);
  const data = definition?.response.case === "responseData" ? definition.response.value : new Uint8Array();
  return payload(suite, data, requests);
}

function clientStream(suite: Suite) {
  return async (messages: AsyncIterable<Message>, context: HandlerContext): Promise<Message> => {
    const requests: Message[] = [];
    for await (const message of messages) requests.push(message);
    const definition = (requests[0] as UnaryMessage | undefined)?.responseDefinition;
    setMetadata(definition, context);
    return create(suite.message("ClientStreamResponse"), { payload: await unaryPayload(suite, definition, requests) });
  };
}

function serverStream(suite: Suite) {
  return async function* (request: Message, context: HandlerContext): AsyncGenerator<Message> {
    const definition = (request as StreamMessage).responseDefinition;
    setMetadata(definition, context);
    yield* answers(suite, "ServerStreamResponse", definition, [request], 0);
  };
}

function bidiStream(suite: Suite) {
  return async function* (messages: AsyncIterable<Message>, context: HandlerContext): AsyncGenerator<Message> {
    let definition: StreamDefinition | undefined;
    let requests: Message[] = [];
    let isFullDuplex = false;
    let sent = 0;
    for await (const message of messages as AsyncIterable<StreamMessage>) {
      if (definition === undefined) {
        definition = message.responseDefinition;
        isFullDuplex = message.fullDuplex === true;
        setMetadata(definition, context);
      }
      requests.push(message);
      if (!isFullDuplex) continue;
      const data = definition?.responseData[sent];
      if (data === undefined) break;
      await pause(definition);
      yield create(suite.message("BidiStreamResponse"), { payload: payload(suite, data, requests) });
      sent += 1;
      requests = [];
    }
    yield* answers(suite, "BidiStreamResponse", definition, requests, sent);
  };
}

/** The responses of a stream after `sent`, then its error. */
async function* answers(
  suite: Suite,
  output: string,
  definition: StreamDefinition | undefined,
  requests: readonly Message[],
  sent: number,
): AsyncGenerator<Message> {
  let count = sent;
  for (const data of definition?.responseData.slice(sent) ?? []) {
    await pause(definition);
    const content = count === 0 ? payload(suite, data, requests) : create(suite.message("ConformancePayload"), { data });
    yield create(suite.message(output), { payload: content });
    count += 1;
  }
  if (definition?.error !== undefined) throw wanted(suite, definition.error, count === 0 ? requests : undefined);
}

function payload(suite: Suite, data: Uint8Array, requests: readonly Message[]): Message {
  return create(suite.message("ConformancePayload"), { data, requestInfo: requestInfo(suite, requests) });
}

/** `requests` are those to include in the error's details; undefined if they were sent before. */
function wanted(suite: Suite, { code, message, details }: WantedError, requests: readonly Message[] | undefined): WantedFailure {
  const info = requests && anyPack(suite.message("ConformancePayload.RequestInfo"), requestInfo(suite, requests));
  return new WantedFailure(create(StatusSchema, { code, message: message ?? "", details: info ? [...details, info] : details }));
}

function setMetadata(
  definition: Pick<StreamDefinition, "responseHeaders" | "responseTrailers"> | undefined,
  context: HandlerContext,
): void {
  const append = (to: Headers, lines: readonly HeaderLine[] = []): void => {
    for (const { name, value } of lines) for (const one of value) to.append(name, one);
  };
  append(context.responseHeader, definition?.responseHeaders);
  append(context.responseTrailer, definition?.responseTrailers);
}

async function pause(definition: { readonly responseDelayMs: number } | undefined): Promise<void> {
  if (definition !== undefined && definition.responseDelayMs > 0) await delay(definition.responseDelayMs);
}
