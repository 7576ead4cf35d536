import type { DescMethodUnary, Message } from "@bufbuild/protobuf";
import type { Admission } from "../call/call.ts";
import type { MethodTable } from "../call/methods.ts";
import { Failure } from "../error/failure.ts";
import { createAnswerQueue } from "../http/answer-queue.ts";
import type { BodyBudget, BodyLease } from "../http/body-budget.ts";
import { HttpCall, requestIdOf } from "../http/http-call.ts";
import { type ResponseHeaders, sendAnswer, sendFailure, sendNothing } from "../http/json-answer.ts";
import { checkMedia, type MediaType } from "../http/media-type.ts";
import type { HttpHandler, HttpRequest, HttpResponse } from "../http/message.ts";
import { readBody } from "../http/read-body.ts";
import { type ErrorReporter, type ServedMethod, startCall } from "../http/run-call.ts";
import { targetOf } from "../http/target.ts";
import type { JsonReader } from "../protojson/read.ts";
import type { Turns } from "../turns.ts";
import { createAnswerEncoder } from "./encode-answer.ts";
import { compileHttpRules } from "./http-rules.ts";
import { withPlainVerb } from "./percent.ts";
import { type BuildRequest, compileRequest } from "./request-message.ts";
import type { Route, Success } from "./route.ts";
import type { Trie } from "./trie.ts";

export interface TranscoderOptions {
  readonly methods: MethodTable;
  readonly admit: Admission;
  readonly json: JsonReader;
  readonly bodies: BodyBudget;
  /** Methods whose success is not a plain 200. */
  readonly rest: ReadonlyMap<DescMethodUnary, Success>;
  readonly trustedProxies: readonly string[];
  /** Largest request body. */
  readonly maxBytes: (method: DescMethodUnary) => number;
  readonly reportError: ErrorReporter;
}

interface Endpoint {
  readonly route: Route;
  readonly served: ServedMethod;
  readonly buildRequest: BuildRequest;
}

/**
 * Serves methods as JSON/HTTP by their google.api.http rules, over HTTP/1.1 and HTTP/2. Throws at start-up, with every problem, if a rule
 * is invalid; after that it never throws and never rejects. An error that is not a Failure is answered as INTERNAL, with only the text of
 * the table.
 */
export function createTranscoder(options: TranscoderOptions): HttpHandler {
  const { admit, json, bodies, trustedProxies, reportError } = options;
  const answers = createAnswerQueue();
  const encodeAnswer = createAnswerEncoder();
  const routes = compileHttpRules<Endpoint>(options, (route) => ({
    route,
    served: { admit, handler: route.handler },
    buildRequest: compileRequest(route, json),
  }));

  const serve = (request: HttpRequest, response: HttpResponse): void => {
    const target = targetOf(request);
    const found = findEndpoint(routes, target.path, request.method ?? "");
    if (found instanceof Set) {
      refuseRoute(found, request, response);
      return;
    }
    const { path, endpoint } = found;
    const { route, served, buildRequest } = endpoint;
    const sink = "stream" in response ? response.stream : response;
    const call = new HttpCall(route.method, "json-http", request, sink, trustedProxies);
    const steps = {
      timeoutMs: () => undefined,
      read: () => {
        const build: BuildFromBody = (body, turns) => buildRequest({ path, query: target.query, body }, turns);
        return isBodyless(request) ? build(undefined) : readJson({ request, call, route, json, lease: call.openBody(bodies), build });
      },
      encode: (answer: Message) => encodeAnswer(route, answer),
    };
    startCall(call, served, steps, reportError, (outcome) => {
      // Not `call.isClosed`, because Node ends the stream of a HEAD request over HTTP/2 before the response.
      if (sink.destroyed) return;
      call.setAnswered();
      try {
        if (outcome instanceof Failure) sendFailure(request, response, outcome, call.responseHeaders);
        else sendAnswer(request, response, outcome, call.responseHeaders, answers);
      } catch (error) {
        refuse(request, response, error);
      }
    });
  };

  const refuse = (request: HttpRequest, response: HttpResponse, error: unknown): void => {
    if (!(error instanceof Failure) && !response.destroyed) reportError(error);
    fail(request, response, error, { "x-request-id": requestIdOf(request) });
  };

  return (request, response) => {
    try {
      serve(request, response);
    } catch (error) {
      refuse(request, response, error);
    }
  };
}

/**
 * Returns the endpoint and the path that found it, or the methods that the path allows. The path as received is tried before the path with
 * a decoded colon.
 */
function findEndpoint(routes: Trie<Endpoint>, path: string, httpMethod: string): { path: string; endpoint: Endpoint } | Set<string> {
  const endpoint = routes.find(path, httpMethod);
  if (endpoint !== undefined) return { path, endpoint };
  const plainPath = withPlainVerb(path);
  const plainEndpoint = routes.find(plainPath, httpMethod);
  if (plainEndpoint !== undefined) return { path: plainPath, endpoint: plainEndpoint };
  const methods = routes.methodsAt(plainPath);
  return methods.size > 0 ? methods : routes.methodsAt(path);
}

/** A longer body is parsed, and its message built, in several turns of the event loop. */
const maxBytesPerTurn = 64 * 1024;

/** The body is undefined for an empty one. */
type BuildFromBody = (body: unknown, turns?: Turns) => Message | Promise<Message>;

/** A body that is not read yet, and what to build from it. */
interface JsonBody {
  readonly request: HttpRequest;
  readonly call: HttpCall;
  readonly route: Route;
  readonly json: JsonReader;
  readonly lease: BodyLease;
  readonly build: BuildFromBody;
}

/** Returns the result of `build` for the body. */
function readJson({ request, call, route, json, lease, build }: JsonBody): Promise<Message> {
  const maxBytes = route.body === "none" ? 0 : route.maxBytes;
  return readBody(request, request, maxBytes, lease).then(
    (body) => {
      if (body.length === 0) return build(undefined);
      checkMedia(call, "application/json", isJson);
      const schema = route.method.input;
      if (body.length <= maxBytesPerTurn) return build(json.parse(schema, body));
      return lease.decodeInTurns(async (turns) => build(await json.parseInTurns(schema, body, turns), turns));
    },
    (error: unknown) => {
      throw route.body === "none" && isTooLarge(error) ? bodyNotAccepted() : error;
    },
  );
}

/** `application/json` and `application/*+json`; the only charset is UTF-8. */
function isJson({ essence, isUtf8 }: MediaType): boolean {
  return isUtf8 && (essence === "application/json" || /^application\/[^\s/+]+(?:\+[^\s/+]+)*\+json$/.test(essence));
}

function isTooLarge(error: unknown): boolean {
  return error instanceof Failure && error.reason === "BODY_TOO_LARGE";
}

function bodyNotAccepted(): Failure {
  return new Failure("INVALID_REQUEST", { message: "this method does not accept a request body" });
}

/** Whether the headers show that the request has no body. */
function isBodyless(request: HttpRequest): boolean {
  const length = request.headers["content-length"];
  if (length !== undefined) return length === "0";
  return "stream" in request ? request.stream.endAfterHeaders : request.headers["transfer-encoding"] === undefined;
}

function refuseRoute(methods: Set<string>, request: HttpRequest, response: HttpResponse): void {
  if (methods.size === 0) throw new Failure("ROUTE_NOT_FOUND");
  if (methods.has("GET")) methods.add("HEAD");
  methods.add("OPTIONS");
  response.setHeader("allow", [...methods].sort().join(", "));
  if (request.method !== "OPTIONS") throw new Failure("METHOD_NOT_ALLOWED");
  sendNothing(request, response, { "x-request-id": requestIdOf(request) });
}

function fail(request: HttpRequest, response: HttpResponse, error: unknown, headers: ResponseHeaders): void {
  try {
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    sendFailure(request, response, error instanceof Failure ? error : new Failure("INTERNAL"), headers);
  } catch {
    // The response was closed meanwhile, so nobody is left to answer.
    response.destroy();
  }
}
