import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { connect } from "node:http2";
import { Agent, request as requestHttps } from "node:https";
import { fromJson, type JsonObject, toJson } from "@bufbuild/protobuf";
import {
  asObject,
  type Client,
  type ClientKind,
  type ClientTls,
  codeName,
  headersOf,
  methodNamed,
  type Refusal,
  refusalFrom,
} from "./client.ts";
import { type RestRequest, restRequest } from "./rest-request.ts";

interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

type Send = (request: RestRequest, headers: Record<string, string>) => Promise<HttpAnswer>;

/** JSON/HTTP with fetch, or over TLS with Node's client. */
export const restHttp1: ClientKind = {
  name: "JSON/HTTP, HTTP/1.1",
  wire: { httpVersion: "1.1", contentType: /^application\/json$/, readsByGet: true },
  sendsAnyJson: true,
  open(url, token, tls) {
    if (tls !== undefined) return openHttps(url, token, tls);
    const send: Send = async ({ httpMethod, path, body }, headers) => {
      const answer = await fetch(`${url}${path}`, { method: httpMethod, headers, ...(body === undefined ? {} : { body }) });
      return { status: answer.status, headers: answer.headers, text: await answer.text() };
    };
    return restClient(restHttp1.name, send, token, () => {});
  },
};

function openHttps(url: string, token: string | null, tls: ClientTls): Client {
  const agent = new Agent({ keepAlive: true, ...tls });
  const send: Send = async ({ httpMethod, path, body }, headers) => {
    const request = requestHttps(`${url}${path}`, { method: httpMethod, headers, agent });
    request.end(body);
    const [answer] = (await once(request, "response")) as [IncomingMessage];
    let text = "";
    for await (const chunk of answer.setEncoding("utf8")) text += chunk;
    return { status: answer.statusCode ?? 0, headers: new Headers(answer.headers as Record<string, string>), text };
  };
  return restClient(restHttp1.name, send, token, () => agent.destroy());
}

/** JSON/HTTP by Node's HTTP/2 client, with prior knowledge. */
export const restHttp2: ClientKind = {
  name: "JSON/HTTP, HTTP/2",
  wire: { httpVersion: "2", contentType: /^application\/json$/, readsByGet: true },
  sendsAnyJson: true,
  open(url, token, tls) {
    const session = connect(url, tls);
    const send: Send = async ({ httpMethod, path, body }, headers) => {
      const stream = session.request({ ":method": httpMethod, ":path": path, ...headers });
      stream.end(body);
      const [answer] = (await once(stream, "response")) as [Record<string, string | number>];
      let text = "";
      for await (const chunk of stream.setEncoding("utf8")) text += chunk;
      const plain = Object.entries(answer).filter(([name]) => !name.startsWith(":"));
      return { status: Number(answer[":status"]), headers: new Headers(plain.map(([name, value]) => [name, String(value)])), text };
    };
    return restClient(restHttp2.name, send, token, () => session.close());
  },
};

function restClient(name: string, send: Send, defaultToken: string | null, close: () => void): Client {
  return {
    name,
    async call(methodName, request, options = {}) {
      const method = methodNamed(methodName);
      const rest = restRequest(method, request);
      const contentType: Record<string, string> = rest.body === undefined ? {} : { "content-type": "application/json" };
      const answer = await send(rest, { ...contentType, ...headersOf(defaultToken, options) });
      const json = answer.text === "" ? {} : asObject(JSON.parse(answer.text));
      if (answer.status >= 300) return refusalOf(json, answer);
      const response = asObject(toJson(method.output, fromJson(method.output, json), { useProtoFieldName: true }));
      return { ok: true, response, headers: answer.headers };
    },
    async [Symbol.asyncDispose]() {
      close();
    },
  };
}

function refusalOf(json: JsonObject, { status, headers }: HttpAnswer): Refusal {
  const { code, message, details } = json as { code: number; message: string; details: JsonObject[] };
  return refusalFrom({ code: codeName(code), details, message, headers, httpStatus: status });
}
