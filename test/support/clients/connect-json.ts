import { fromJson, type JsonObject, toJson } from "@bufbuild/protobuf";
import { asObject, type ClientKind, detailJson, headersOf, methodNamed, pathOf, type Refusal, type Reply, refusalFrom } from "./client.ts";

/** Connect without a library: one JSON POST. */
export const connectJson: ClientKind = {
  name: "Connect JSON by fetch, HTTP/1.1",
  wire: { httpVersion: "1.1", contentType: /^application\/json$/, readsByGet: false },
  sendsAnyJson: true,
  open(url, defaultToken, tls) {
    if (tls !== undefined) throw new Error("fetch takes no certificates");
    return {
      name: connectJson.name,
      async call(methodName, request, options = {}): Promise<Reply> {
        const method = methodNamed(methodName);
        const answer = await fetch(`${url}${pathOf(method)}`, {
          method: "POST",
          headers: { "content-type": "application/json", "connect-protocol-version": "1", ...headersOf(defaultToken, options) },
          body: JSON.stringify(request),
        });
        const json = asObject(JSON.parse(await answer.text()));
        if (!answer.ok) return refusalOf(json, answer);
        const response = asObject(toJson(method.output, fromJson(method.output, json), { useProtoFieldName: true }));
        return { ok: true, response, headers: answer.headers };
      },
      async [Symbol.asyncDispose]() {},
    };
  },
};

interface WireDetail {
  readonly type: string;
  /** Base64 without padding. */
  readonly value: string;
}

function refusalOf(json: JsonObject, answer: Response): Refusal {
  const { code, message, details = [] } = json as unknown as { code: string; message: string; details?: readonly WireDetail[] };
  return refusalFrom({
    code: code === "canceled" ? "CANCELLED" : code.toUpperCase(),
    details: details.map(({ type, value }) => detailJson(type, Buffer.from(value, "base64"))),
    message,
    headers: answer.headers,
    httpStatus: answer.status,
  });
}
